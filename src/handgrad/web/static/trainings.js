// The trainings of the server: begun, gone on with, steered and listened to.

import { getJSON, postJSON, Refused } from "./api.js";
import { register, t } from "./i18n.js";

register({
  en: {
    "trainings.lost": "What becomes of {name} cannot be followed: the server refuses to tell. Load the page again to try once more.",
  },
  zh: {
    "trainings.lost": "无法跟踪 {name} 的进展：服务器拒绝了。请重新加载页面再试。",
  },
});

const PLACE = "/api/trainings";
const pathOf = (name, rest = "") => `${PLACE}/${encodeURIComponent(name)}${rest}`;

/** Whether nothing more comes of a training in this state. */
export const isOver = (state) => state === "ended" || state === "failed";

/** What the server says of all of them, or of one. */
export const listTrainings = async () => (await getJSON(PLACE)).trainings;
export const findTraining = (name) => getJSON(pathOf(name));

/** Begin one: {recipe, changes, paused}. */
export const begin = (order) => postJSON(PLACE, order);

/** Go on with a run until so many epochs. A recipe has to be named, but it is the run's own that is followed. */
export const goOn = (name, epochs) => begin({ recipe: "fast", resume: name, changes: { "train.epochs": epochs } });

/** Ask something of a training: pause, resume, step, epoch, stop, or set with values. */
export const command = (name, word, values) =>
  postJSON(pathOf(name, "/commands"), values ? { command: word, values } : { command: word });

/** Stop a training while the page is left; nobody hears the answer. */
export const stopBehind = (name) => postJSON(pathOf(name, "/commands"), { command: "stop" }, { keepalive: true }).catch(() => {});

/**
 * Hear the events of a training, from its beginning until it is over; returns what ends that before.
 * `take(event)` is called with each, `lost(error)` if the server refuses to tell (more).
 */
export function listen(name, { take, lost }) {
  const source = new EventSource(pathOf(name, "/events"));
  source.addEventListener("message", ({ data }) => take(JSON.parse(data)));
  source.addEventListener("over", () => source.close());
  source.addEventListener("error", () => {
    // A connection that was only interrupted is made again by the browser.
    if (source.readyState === EventSource.CLOSED) lost(new Refused(t("trainings.lost", { name }), 400));
  });
  return () => source.close();
}
