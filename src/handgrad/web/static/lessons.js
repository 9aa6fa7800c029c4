// The view of lessons, of which nothing else is fetched before somebody wants to see one.

import { Refused } from "./api.js";

/** Fetches the lessons when the view is first shown. */
export function mount(section, page) {
  let fetched = null;
  async function show() {
    if (page.store.get().view !== "lessons" || fetched) return;
    fetched = import("./lessons/lessons.js").catch(() => null);
    const lessons = await fetched;
    if (lessons) return lessons.mount(section, page);
    fetched = null; // for another try
    page.complain(new Refused("", 0));
  }
  page.store.subscribe(show, ["view"]);
  show();
}
