// A view of which nothing is fetched before somebody wants to see it, so that the page's first view comes sooner.

import { Refused } from "./api.js";

/**
 * The view of a module that `fetchModule` fetches.
 *
 * `isWanted` says of the store's state whether it is time to; `names` are the parts of the state that it looks at.
 */
export function later(fetchModule, isWanted, names) {
  return {
    mount(section, page) {
      let fetched = null;
      async function show() {
        if (!isWanted(page.store.get()) || fetched) return;
        fetched = fetchModule().catch(() => null);
        const view = await fetched;
        if (view) return view.mount(section, page);
        fetched = null; // for another try
        page.complain(new Refused("", 0));
      }
      page.store.subscribe(show, names);
      show();
    },
  };
}
