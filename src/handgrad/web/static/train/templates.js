// The weights of the first layer while they form.

import { getArrays, modelPath } from "../api.js";
import { el, latest } from "../dom.js";
import { seesGrey } from "../example.js";
import { createHeatmap } from "../heatmap.js";
import { register } from "../i18n.js";
import { sizeOf } from "../shapes.js";

register({
  en: {
    "templates.title": "First weights forming",
    "templates.label": "Weights of the first layer, a tile for each unit",
    "templates.help": "A tile for each unit or kernel of the first layer.",
    "templates.nothing": "Comes with the first weights.",
  },
  zh: {
    "templates.title": "第一层权重的形成",
    "templates.label": "第一层的权重，每个单元一格",
    "templates.help": "第一层的每个单元或卷积核一格。",
    "templates.nothing": "有了第一批权重后出现。",
  },
});

/** Units that are shown of a wide layer. */
const MOST_UNITS = 64;

/** The panel; `show(training)` fetches the weights as they are. */
export function createTemplates(page) {
  const heat = createHeatmap({ label: "templates.label", choose: (flat) => heat.mark(flat, null) });
  const nothing = el("p", { class: "small faint", t: "templates.nothing" });
  const help = el("p", { class: "small faint", t: "templates.help" });
  const element = el("section", { class: "card stack" }, el("h2", { t: "templates.title" }), nothing, heat.element, help);

  const fetchNow = latest(async (training) => {
    const first = training.started?.layers.find((layer) => layer.parameters > 0 && /^(Linear|Conv2d)$/.test(layer.kind));
    const model = page.models.find((each) => each.id === training.model);
    if (!first || !model) return;
    const name = `${first.name}.weight`;
    try {
      const { arrays } = await getArrays(modelPath(model.id, `weights?arrays=${encodeURIComponent(name)}`));
      display(arrays[name], model);
    } catch {
      // The weights were replaced while they were read, or dropout has moved the layer: the next ones come in a second.
    }
  });

  function display({ shape, data }, model) {
    nothing.hidden = true;
    help.hidden = false;
    const units = Math.min(shape[0], MOST_UNITS);
    const size = data.length / shape[0];
    const image = seesGrey(model) && shape.length === 2 && size === sizeOf(model.raw_shape) ? model.raw_shape : null;
    heat.show({ shape: [units, ...shape.slice(1)], data: data.subarray(0, units * size) }, { image });
  }

  return {
    element,
    show: fetchNow,
    clear() {
      heat.show(null);
      nothing.hidden = false;
      help.hidden = true;
    },
    redraw: () => heat.draw(),
  };
}
