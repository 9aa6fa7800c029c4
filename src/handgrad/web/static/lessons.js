// The view of lessons, of which nothing else is fetched before somebody wants to see one.

/** Fetches the lessons when the view is first shown. */
export function mount(section, page) {
  let fetched = null;
  async function show() {
    if (page.store.get().view !== "lessons" || fetched) return;
    fetched = import("./lessons/lessons.js");
    (await fetched).mount(section, page);
  }
  page.store.subscribe(show, ["view"]);
  show();
}
