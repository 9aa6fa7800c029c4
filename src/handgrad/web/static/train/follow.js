// One training as the page knows it: its events, gathered into what is shown.

import { getJSON, postJSON } from "../api.js";

/** Points of a curve that are kept; of more, every second is left out. */
const MOST_POINTS = 4000;

const pathOf = (name, rest = "") => `/api/trainings/${encodeURIComponent(name)}${rest}`;

const nothing = () => ({
  state: "starting",
  started: null, // the event, with the settings as they are now
  step: null, // the latest
  epoch: null,
  signals: null,
  confusion: null,
  saving: false,
  postponed: null,
  ended: null,
  message: "",
  warnings: [],
  compiling: null,
  series: { loss: [], rate: [], validationLoss: [], validation: [], testLoss: [], test: [] },
});

/** Follows one training at a time, and calls `changed(training, event)` after each of its events. */
export function createFollower(changed) {
  let source = null;
  let training = null;

  function stop() {
    source?.close();
    source = null;
  }

  function take(event) {
    if (event.id <= training.known) return; // told again, since the connection was lost for a moment
    training.known = event.id;
    (TAKERS[event.event] ?? (() => {}))(training, event);
    changed(training, event);
  }

  return {
    current: () => training,
    /** Follow the training of that name, or none. */
    async follow(name) {
      stop();
      training = null;
      if (!name) {
        changed(null, null);
        return;
      }
      const found = await getJSON(pathOf(name));
      training = { name, model: found.model, known: 0, ...nothing() };
      training.message = found.message;
      changed(training, null);
      source = new EventSource(pathOf(name, "/events"));
      const mine = source;
      source.addEventListener("message", ({ data }) => mine === source && take(JSON.parse(data)));
      source.addEventListener("over", () => mine === source && stop());
    },
    stop,
  };
}

/** Ask something of a training: pause, resume, step, epoch, stop, or set with values. */
export const command = (name, word, values) =>
  postJSON(pathOf(name, "/commands"), values ? { command: word, values } : { command: word });

function add(series, point) {
  if (series.length && series.at(-1)[0] >= point[0]) return; // that step again, after a pause
  series.push(point);
  if (series.length > MOST_POINTS) series.splice(0, series.length, ...series.filter((_, place) => place % 2 === 0));
}

function addEpoch(training, epoch, step) {
  for (const [name, scores] of Object.entries(epoch.scores)) {
    if (!(name in training.series)) continue;
    add(training.series[name], [step, scores.accuracy]);
    if (scores.loss !== null) add(training.series[`${name}Loss`], [step, scores.loss]);
  }
}

/** What each event changes. */
const TAKERS = {
  started(training, event) {
    Object.assign(training, { ...nothing(), started: event, state: "running", warnings: training.warnings });
    for (const [step, loss, rate] of event.history.steps) {
      add(training.series.loss, [step, loss]);
      add(training.series.rate, [step, rate]);
    }
    for (const epoch of event.history.epochs) {
      addEpoch(training, epoch, epoch.number * event.steps_per_epoch);
      training.epoch = epoch;
    }
  },
  settings(training, event) {
    training.started = { ...training.started, ...event, event: "started" };
    training.postponed = null;
  },
  postponed(training, event) {
    training.postponed = event.settings;
  },
  compiling(training, event) {
    training.compiling = event;
  },
  state(training, event) {
    training.state = event.state;
  },
  step(training, event) {
    Object.assign(training, { step: event, compiling: null });
    add(training.series.loss, [event.number, event.loss]);
    add(training.series.rate, [event.number, event.learning_rate]);
  },
  epoch(training, event) {
    training.epoch = event;
    addEpoch(training, event, event.step);
  },
  signals(training, event) {
    training.signals = event;
  },
  confusion(training, event) {
    training.confusion = event;
  },
  weights(training, event) {
    training.weights = event;
  },
  warning(training, event) {
    training.warnings = [...training.warnings, event.message].slice(-3);
  },
  saving(training) {
    training.saving = true;
  },
  ended(training, event) {
    Object.assign(training, { state: "ended", saving: false, ended: event });
  },
  failed(training, event) {
    Object.assign(training, { state: "failed", saving: false, message: event.message });
  },
};
