// One training as the page knows it: its events, gathered into what is shown.

import { findTraining, listen } from "../trainings.js";

/** Points of a curve that are kept; of more, every second is left out. */
const MOST_POINTS = 4000;

/** Points of no training. */
export const emptySeries = () => ({ loss: [], rate: [], validationLoss: [], validation: [], testLoss: [], test: [] });

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
  series: emptySeries(),
});

/**
 * Follows one training at a time, and calls `changed(training, event)` after each of its events, both null for none;
 * and `lost(error)` if the server tells no more of it.
 */
export function createFollower(changed, lost) {
  let wanted = "";
  let asked = 0; // how often another was wanted: only the latest counts
  let training = null;
  let end = () => {};

  function take(event) {
    if (event.id <= training.known) return; // told again, since the connection was lost for a moment
    training.known = event.id;
    (TAKERS[event.event] ?? (() => {}))(training, event);
    changed(training, event);
  }

  return {
    current: () => training,
    /** The name of the one that is followed, or will be once the server has answered. */
    wanted: () => wanted,
    /** Follow the training of that name, or none. */
    async follow(name) {
      end();
      [wanted, training] = [name, null];
      changed(null, null);
      const mine = ++asked;
      if (!name) return;
      const found = await findTraining(name).catch((error) => {
        if (mine === asked) throw error;
      });
      if (mine !== asked) return;
      training = { name, model: found.model, known: 0, ...nothing(), message: found.message };
      changed(training, null);
      end = listen(name, { take, lost });
    },
  };
}

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
  pace(training, { steps_per_second }) {
    const settings = { ...training.started.settings, steps_per_second };
    training.started = { ...training.started, settings };
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
