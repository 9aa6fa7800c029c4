// The view in which a network is trained: a recipe to change, a training to steer, and what becomes of it.

import { getJSON, modelPath } from "./api.js";
import { announce, el, latest, percent } from "./dom.js";
import { register, t } from "./i18n.js";
import { createChart } from "./train/chart.js";
import { createConfusion } from "./train/confusion.js";
import { createControls } from "./train/controls.js";
import { createEditor } from "./train/editor.js";
import { createFollower, emptySeries } from "./train/follow.js";
import { createSigns } from "./train/signs.js";
import { createTemplates } from "./train/templates.js";
import { goOn, listTrainings } from "./trainings.js";

register({
  en: {
    "train.loss": "Loss",
    "train.loss.train": "training",
    "train.loss.validation": "validation",
    "train.loss.test": "test",
    "train.accuracies": "Accuracy",
    "train.rates": "Learning rate",
    "train.curves": "Curves",
    "train.others": "Trainings of this server",
    "train.follow": "{name} · {state}",
    "train.said.epoch": "Epoch {epoch}: loss {loss}.",
    "train.said.accuracy": "Epoch {epoch}: {accuracy} right.",
  },
  zh: {
    "train.loss": "损失",
    "train.loss.train": "训练",
    "train.loss.validation": "验证",
    "train.loss.test": "测试",
    "train.accuracies": "准确率",
    "train.rates": "学习率",
    "train.curves": "曲线",
    "train.others": "本服务器的训练",
    "train.follow": "{name} · {state}",
    "train.said.epoch": "第 {epoch} 轮：损失 {loss}。",
    "train.said.accuracy": "第 {epoch} 轮：{accuracy} 正确。",
  },
});

/** Milliseconds between two epochs that are spoken. */
const SPOKEN = 5000;
/** Milliseconds between two pictures of what steps tell, at least. */
const PICTURES = 60;

/** The view, in its section of the page. */
export function mount(section, page) {
  new TrainView(section, page);
}

class TrainView {
  spoken = 0;
  known = ""; // the model whose run the page has in its list
  layers = ""; // of that model
  shownAt = 0;

  constructor(section, page) {
    Object.assign(this, { section, page, store: page.store });
    this.follower = createFollower((training, event) => this.take(training, event), page.complain);
    this.controls = createControls(page, (training) => this.longer(training));
    this.editor = createEditor(page, (training) => this.begun(training));
    this.signs = createSigns();
    this.confusion = createConfusion();
    this.templates = createTemplates(page);
    this.charts = createCharts();
    this.others = el("div", { class: "row small" });
    this.pad = el("div", { class: "pad-slot" });
    this.build();
    this.listen();
  }

  build() {
    const { loss, accuracy, rate } = this.charts;
    const curves = el("section", { class: "card stack", label: "train.curves" }, loss.element, accuracy.element, rate.element);
    this.results = [curves, this.signs.element, this.confusion.element, this.templates.element];
    this.section.append(
      el("div", { class: "stack side" }, this.editor.element, this.others),
      el(
        "div", { class: "stack middle" },
        this.controls.element, curves, el("div", { class: "pair" }, this.confusion.element, this.templates.element), this.signs.element,
      ),
      el("div", { class: "stack side" }, this.pad),
    );
    this.show(null);
  }

  listen() {
    const { store } = this;
    store.subscribe(({ view }) => {
      this.arrange();
      if (view === "train") this.list();
    }, ["view"]);
    store.subscribe(() => this.editor.offer(), ["model", "version"]);
    store.subscribe(({ training }) => training !== this.follower.wanted() && this.follow(training), ["training"]);
    store.subscribe(() => {
      this.editor.speak();
      this.show(this.follower.current());
      this.list();
    }, ["lang"]);
    store.subscribe(() => {
      for (const chart of Object.values(this.charts)) chart.redraw();
      this.templates.redraw();
    }, ["theme"]);
    this.arrange();
    this.editor.offer();
    this.follow(store.get().training);
  }

  /** The pad and the network's answers are in the view that is shown: there is one drawing, whatever is done with it. */
  arrange() {
    const drawing = document.querySelector(".drawing");
    const home = document.getElementById("view-look");
    if (!drawing || !home) return;
    if (this.store.get().view === "train") this.pad.append(drawing);
    else if (drawing.parentElement === this.pad) home.prepend(drawing);
  }

  /** Follow the training of that name, or none. */
  async follow(name) {
    this.known = this.layers = "";
    this.templates.clear();
    try {
      await this.follower.follow(name);
    } catch (error) {
      this.store.set({ training: "" });
      this.page.complain(error);
    }
    this.list();
  }

  /** The trainings that could be followed instead. */
  list = latest(async () => {
    try {
      const others = (await listTrainings()).filter(({ name }) => name !== this.store.get().training).slice(0, 6);
      const button = ({ name, state }) => el("button", { class: "quiet", on: { click: () => this.store.set({ training: name }) } },
        t("train.follow", { name, state: t(`train.state.${state}`) }));
      this.others.replaceChildren(...(others.length ? [el("span", { class: "faint", t: "train.others" }), ...others.map(button)] : []));
    } catch (error) {
      this.page.complain(error);
    }
  });

  begun({ name }) {
    if (name === this.store.get().training) this.follow(name); // gone on with
    else this.store.set({ training: name });
    this.controls.element.scrollIntoView({ block: "nearest" });
  }

  /** Go on with what is over, for as many epochs as its recipe began with. */
  async longer({ name, started, ended }) {
    const done = ended?.result.epochs ?? 0;
    const epochs = ended?.stopped_by === "request" ? started.epochs : done + Math.max(1, Math.ceil(started.epochs / 2));
    try {
      this.begun(await goOn(name, epochs));
    } catch (error) {
      this.page.complain(error);
    }
  }

  take(training, event) {
    if (event?.event === "weights") this.followWeights(training);
    if (event?.event === "epoch") this.speak(event);
    if (event?.event === "ended" || event?.event === "failed") this.list();
    this.schedule(event);
  }

  /** Many events come at once where an earlier part is told again: one picture is enough. */
  schedule(event) {
    if (this.waiting) return;
    const step = event?.event === "step";
    this.waiting = true;
    setTimeout(() => {
      this.waiting = false;
      this.shownAt = performance.now();
      this.show(this.follower.current());
    }, step ? Math.max(0, PICTURES - (performance.now() - this.shownAt)) : 0);
  }

  /** The model of the run has other weights now: everything that shows it follows. */
  followWeights = latest(async (training) => {
    const { store, page } = this;
    try {
      if (this.known !== training.model) {
        await page.refreshModels();
        if (this.follower.current() !== training) return;
        this.known = training.model;
        page.chooseModel(training.model);
      }
      const { version } = training.weights;
      const layers = namesOf(training.started.layers);
      if (store.get().model === training.model && this.layers && this.layers !== layers) {
        // Dropout has come or gone: what is known of the network no longer holds.
        store.set({ network: await getJSON(modelPath(training.model)), trace: null, wanted: "" });
      }
      this.layers = layers;
      if (this.follower.current() !== training) return;
      if (store.get().model === training.model) store.set({ version });
      if (store.get().view === "train") this.templates.show(training);
    } catch (error) {
      page.complain(error);
    }
  });

  speak({ number: epoch, train_loss: loss, scores }) {
    if (this.store.get().view !== "train" || Date.now() - this.spoken < SPOKEN) return;
    this.spoken = Date.now();
    const [found] = Object.values(scores);
    announce(found ? t("train.said.accuracy", { epoch, accuracy: percent(found.accuracy) }) : t("train.said.epoch", { epoch, loss: loss?.toPrecision(3) }));
  }

  show(training) {
    const series = training?.series ?? emptySeries();
    const epoch = training?.started?.steps_per_epoch ?? 0;
    for (const part of this.results) part.hidden = !training;
    this.controls.show(training);
    this.signs.show(training?.signals ?? null);
    this.confusion.show(training?.confusion ?? null, training?.started ? training.started.classes : undefined);
    this.charts.loss.show({ train: series.loss, validation: series.validationLoss, test: series.testLoss }, epoch);
    this.charts.accuracy.show({ validation: series.validation, test: series.test }, epoch);
    this.charts.accuracy.element.hidden = !series.validation.length && !series.test.length;
    this.charts.rate.show({ rate: series.rate }, epoch);
  }
}

const namesOf = (layers) => layers.map(({ name, kind }) => `${name} ${kind}`).join(", ");

function createCharts() {
  const line = (name, title, colour, dots = false) => ({ name, title, colour, dots });
  return {
    loss: createChart({
      title: "train.loss",
      log: true,
      lines: [
        line("train", "train.loss.train", "--accent"),
        line("validation", "train.loss.validation", "--negative", true),
        line("test", "train.loss.test", "--good", true),
      ],
    }),
    accuracy: createChart({
      title: "train.accuracies",
      format: (value) => percent(value, 1),
      lines: [
        line("validation", "train.loss.validation", "--negative", true),
        line("test", "train.loss.test", "--good", true),
      ],
    }),
    rate: createChart({ title: "train.rates", lines: [line("rate", "train.rates", "--faint")] }),
  };
}
