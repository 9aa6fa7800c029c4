// What the network is given: a drawing, a picture of the test data, or a few numbers; and what it says of it.
//
// The store gets `example` (the word for it in the address), `label` and `input` (the raw numbers, null where there are none).
// From then on trace.js keeps its `probabilities` up to date. While the pen is down only the bars follow.

import { getJSON, modelPath, postBytes, Refused } from "../api.js";
import { createBars } from "./bars.js";
import { el, latest } from "../dom.js";
import { drawnExample, fromBase64, readExample, rounded, seesDrawings, seesImages } from "../example.js";
import { createGallery } from "./gallery.js";
import { register, t } from "../i18n.js";
import { createLabels, labelsOf } from "./labels.js";
import { createPad, SENT } from "./pad.js";
import { createSeen } from "./seen.js";
import { UNKNOWN } from "../state.js";
import { isChanged } from "./trace.js";
import { createValues } from "./values.js";

register({
  en: {
    "draw.damaged": "The address names an example that this network cannot be given; its first test example is shown instead.",
  },
  zh: {
    "draw.damaged": "网址中的例子不能输入这个网络，改为显示第一个测试例子。",
  },
});

/** The left column: pad, steps, probabilities, label, gallery. */
export function mount(element, page) {
  const given = new Given(page);
  const { pad, seen, gallery, values } = given;
  const forImages = [el("section", { class: "card stack" }, pad.element, seen.element)];
  const forNumbers = [el("section", { class: "card stack" }, values.element)];
  const pictures = el("section", { class: "card stack" }, gallery.element);
  forImages.push(pictures);
  element.append(forImages[0], ...forNumbers, given.answer, pictures);

  page.store.subscribe(() => {
    const images = !page.model() || seesImages(page.model());
    for (const part of forImages) part.hidden = !images;
    pad.element.hidden = page.model() !== undefined && !seesDrawings(page.model());
    for (const part of forNumbers) part.hidden = images;
    given.follow();
  }, ["model", "version"]);
  page.store.subscribe(({ example }) => example !== given.shown && given.restore(), ["example"]);
  page.store.subscribe(() => given.showAnswer(), ["label", "probabilities", "lang"]);
  page.store.subscribe(() => pad.measure(), ["theme"]);
}

/** What the network is given now, and the parts of the page that show it. */
class Given {
  shown = ""; // the example that is on the page; the store may already hold another
  source = ""; // "pad", "test", "drawn", "values", or "" for nothing
  model = null;
  fresh = false; // a drawing begins: the label in the store is still that of what was shown before
  live = null; // probabilities of a drawing while the pen is down
  moves = 0; // of the pen, so that what was asked for before one is not shown after it

  constructor(page) {
    this.page = page;
    this.store = page.store;
    this.pad = createPad(() => this.drawn());
    this.seen = createSeen();
    this.bars = createBars();
    this.labels = createLabels((label) => this.store.set(this.labelled(label || UNKNOWN)));
    this.answer = el("section", { class: "card stack" }, this.bars.element, this.labels.element);
    this.gallery = createGallery(page, (example) => this.choose(example));
    this.values = createValues(page, (numbers) => this.enter(numbers), (example) => this.choose(example));
    // Never two requests of a kind at once: the latest state is asked for when the one before is answered.
    this.look = this.carefully(() => this.lookNow());
    this.restore = this.carefully(() => this.restoreNow());
  }

  carefully(action) {
    return latest(async () => {
      try {
        await action();
      } catch (error) {
        this.page.complain(error);
      }
    });
  }

  /** Another model was chosen, or its weights have changed. */
  follow() {
    const model = this.page.model();
    if (!model) return;
    const other = model.id !== this.model?.id;
    this.model = model;
    if (other) this.store.set({ probabilities: null });
    if (seesImages(model)) this.gallery.follow(model, this.store.get().version);
    else if (other) this.values.follow(model);
    this.showAnswer();
    if (other) this.restore();
  }

  /** Show the example that the store names, or the first of the test data. */
  async restoreNow() {
    const { model, store } = this;
    const { example, unlabelled } = store.get();
    const label = unlabelled ? UNKNOWN : store.get().label;
    if (!model) return;
    if (this.source === "pad" && example === this.shown && seesDrawings(model)) {
      await this.look();
      return;
    }
    const fromAddress = example !== "" && example !== this.shown;
    const found = readExample(example, model);
    let shown = found !== null;
    if (found && found.kind !== "test") this.give(found.kind, example, found.input, this.valid(label));
    else shown = (await this.load(found?.index ?? 0, label)) && shown;
    if (fromAddress && !shown) this.page.complain(new Refused(t("draw.damaged"), 400));
  }

  /** Show an example of the test data, or the first where there is none of that number; whether there is one. */
  async load(index, label) {
    const { model, store, moves } = this;
    const asked = store.get().example;
    const { examples } = await getJSON(modelPath(model.id, `examples?start=${index}&count=1`));
    const isWanted = store.get().example === asked && this.model.id === model.id && this.moves === moves;
    if (!isWanted) return true; // something else was chosen, or drawn, meanwhile
    if (examples.length) this.choose(examples[0], this.valid(label));
    else if (index > 0) await this.load(0, "");
    return examples.length > 0;
  }

  /** A label of the address, if it is one that the model can have. */
  valid(label) {
    return label === UNKNOWN || labelsOf(this.model).includes(label) ? label : "";
  }

  /** A label as the store has it. The data know that of their pictures: where it was taken away, the address says so. */
  labelled(label) {
    return { label: label === UNKNOWN ? "" : label, unlabelled: label === UNKNOWN && this.source === "test" };
  }

  /** An example of the test data; its label is that of the data where none is given. */
  choose(example, label = "") {
    const input = example.pixels ? fromBase64(example.pixels) : example.inputs;
    const known = String(example.label ?? example.target);
    this.give("test", `test-${example.index}`, input, label || this.valid(known));
  }

  enter(numbers) {
    this.give("values", `values-${numbers.join(",")}`, numbers, "");
  }

  /** Give the network an input that needs no preparation. */
  give(source, example, input, label) {
    this.source = source;
    this.pad.putAside();
    if (seesImages(this.model)) {
      this.seen.showPicture(input, this.model.raw_shape, `seen.${source}`, { index: example.split("-")[1] });
    } else this.values.show(input);
    this.put(example, input, label);
  }

  put(example, input, label, probabilities = this.store.get().probabilities) {
    Object.assign(this, { shown: example, fresh: false, live: null });
    this.store.set({ example, ...this.labelled(label), input: [...input], probabilities });
    this.gallery.mark(example);
    this.values.mark(example);
  }

  /** The pad has changed. */
  drawn() {
    this.moves += 1;
    if (this.pad.isEmpty()) {
      this.giveNothing();
      return;
    }
    if (this.source !== "pad") Object.assign(this, { source: "pad", fresh: true });
    this.look();
  }

  giveNothing() {
    Object.assign(this, { source: "", shown: "", fresh: false, live: null });
    this.seen.showNothing();
    this.gallery.mark("");
    this.store.set({ example: "", ...this.labelled(""), input: null, probabilities: null });
  }

  /** Have the drawing prepared and recognised; once the pen is lifted, what came of it is the network's input. */
  async lookNow() {
    const { model, pad } = this;
    const onPad = () => this.source === "pad" && !pad.isEmpty();
    // Only a trace knows what a changed network says, or what is said of a changed input: it waits for the drawing's end.
    const changed = isChanged(this.store.get());
    if (!onPad() || (changed && pad.isDrawing())) return;
    const answer = await postBytes(modelPath(model.id, `digit?side=${SENT}`), pad.pixels());
    if (!onPad() || model.id !== this.model.id) return;
    if (answer.empty) {
      this.seen.showNothing();
      return;
    }
    this.seen.showSteps(answer.steps);
    this.live = changed ? null : answer.probabilities;
    if (pad.isDrawing()) this.showAnswer();
    else {
      const pixels = rounded(fromBase64(answer.image)); // as a link would bring them, so that both show the same numbers
      this.put(drawnExample(pixels), pixels, this.label(), this.live ?? undefined);
    }
  }

  label() {
    return this.fresh ? "" : this.store.get().label;
  }

  showAnswer() {
    if (!this.model) return;
    const known = this.live ?? this.store.get().probabilities ?? null;
    this.bars.show(this.source ? known : null, this.model, this.label(), this.shown);
    this.labels.show(this.model, this.label());
  }
}
