// A training that the page watches picture by picture: it runs for a moment, waits, and is looked at.

import { Refused } from "../api.js";
import { begin, command, findTraining, isOver, listen, stopBehind } from "../trainings.js";

/** Milliseconds between two pictures, at least. */
const PACE = 60;

/** Under this name the browser remembers its trainings, should the page end without a farewell. */
const REMEMBERED = "lesson-trainings";

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Start a training; where there is no room for it, in the place of those that lessons of this browser left behind. */
async function beginAnyway(order) {
  try {
    return await remembering(order);
  } catch (error) {
    const left = remembered();
    if (error.status !== 429 || !left.length) throw error;
    remember([]);
    await Promise.all(left.map(end));
    return remembering(order);
  }
}

/** Stop a training, and wait until it has saved what it learned. */
async function end(name) {
  const hasEnded = async () => isOver((await findTraining(name)).state);
  try {
    if (!(await hasEnded())) await command(name, "stop");
    for (let time = 0; time < 30 && !(await hasEnded()); time++) await sleep(500);
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // the server does not know it any more
  }
}

async function remembering(order) {
  const begun = await begin(order);
  remember([...remembered().slice(-3), begun.name]);
  return begun;
}

function remember(names) {
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify(names));
  } catch {
    // a browser that keeps nothing
  }
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED)) ?? [];
  } catch {
    return [];
  }
}

/**
 * Drives one training at a time.
 * `look(training)` is awaited for each picture, training being {model, step, losses: [[step, loss], …]};
 * `changed(state)` hears of "off", "starting", "paused", "playing", "ended" and "failed"; `complain` of errors.
 */
export function createPlayer({ look, changed, complain }) {
  let training = null; // {name, model, step, losses, told, over, failure, close, awaited, arrived}
  let state = "off";
  let starts = 0; // and stops: whoever began before the last of them is not wanted any more

  function become(next) {
    state = next;
    changed(state);
  }

  async function start(order) {
    const stopped = stop();
    const started = starts;
    become("starting");
    await stopped;
    if (started !== starts) return; // somebody has left meanwhile
    try {
      const begun = await beginAnyway({ ...order, paused: true });
      if (started !== starts) return void (await command(begun.name, "stop")); // or now
      const own = { name: begun.name, model: begun.model, step: 0, losses: [], over: false };
      training = own;
      follow(own);
      await until(own, "paused");
      if (own === training) await look(own);
      if (own === training) become("paused");
    } catch (error) {
      if (started === starts) giveUp(error);
    }
  }

  function follow(own) {
    own.close = listen(own.name, { take: (event) => take(own, event), lost: (error) => lose(own, error) });
  }

  /** What cannot be watched need not go on. */
  function lose(own, { message }) {
    if (own.over) return;
    Object.assign(own, { over: true, failure: message });
    command(own.name, "stop").catch(() => {});
    own.arrived?.();
  }

  function take(own, event) {
    const loss = event.event === own.told ? [event.number, event.loss ?? event.train_loss] : null;
    if (loss && loss[0] > (own.losses.at(-1)?.[0] ?? 0)) own.losses.push(loss);
    if (event.event === "state") own.step = event.step;
    if (isOver(event.event)) {
      own.over = true;
      own.failure = event.event === "failed" ? event.message : "";
    }
    if (event.event === "ended") own.step = own.losses.at(-1)?.[0] ?? own.step;
    if (own.over || (event.event === "state" && own.awaited === event.state)) own.arrived?.();
  }

  /** Do something, and wait until the training is "paused" or "running" after it, or nothing more will come. */
  async function until(own, state, action = () => {}) {
    const arrived = new Promise((resolve) => Object.assign(own, { awaited: state, arrived: resolve }));
    await action();
    if (!own.over) await arrived;
    if (own.failure) throw new Refused(own.failure, 400);
  }

  /** One picture on: a single update, or what is done in so many milliseconds. */
  async function advance(own, stretch) {
    own.told = stretch ? "epoch" : "step"; // of many steps a "step" tells the mean; of full batches an epoch is a step
    if (stretch) {
      await until(own, "running", () => command(own.name, "resume")); // a pause that overtakes it would never be told
      await sleep(stretch);
    }
    if (!own.over) await until(own, "paused", () => command(own.name, stretch ? "pause" : "step"));
    if (own.failure) throw new Refused(own.failure, 400);
    if (own === training) await look(own);
  }

  /** Go on until paused: pictures `stretch` milliseconds apart, with as many updates between them as `updates(step)`. */
  async function play({ stretch, updates }) {
    const own = training;
    if (!own || state !== "paused") return;
    become("playing");
    try {
      while (state === "playing" && own === training && !own.over) {
        const begun = performance.now();
        await command(own.name, "set", { steps_per_second: (1000 * updates(own.step)) / stretch });
        await advance(own, stretch);
        await sleep(Math.max(0, PACE - (performance.now() - begun)));
      }
      if (own === training) become(own.over ? "ended" : "paused");
    } catch (error) {
      if (own === training) giveUp(error);
    }
  }

  async function step() {
    const own = training;
    if (!own || state !== "paused") return;
    become("playing");
    try {
      await advance(own, 0);
      if (own === training) become(own.over ? "ended" : "paused");
    } catch (error) {
      if (own === training) giveUp(error);
    }
  }

  function pause() {
    if (state === "playing") state = "pausing"; // the loop ends with its picture
  }

  function giveUp(error) {
    become("failed");
    complain(error);
  }

  /** End the training, whatever it does, so that another may have its place. */
  async function stop() {
    const own = training;
    training = null;
    starts++;
    if (state !== "off") become("off");
    if (!own) return;
    own.close();
    if (!own.over) await command(own.name, "stop").catch(() => {});
    own.over = true;
    own.arrived?.();
  }

  addEventListener("pagehide", () => {
    if (training && !training.over) stopBehind(training.name);
  });

  return { start, play, step, pause, stop, state: () => state };
}
