// A recipe that is being changed, and what has been changed in it, as the server takes it.

/** Layers that look at pictures, channel by channel. */
export const SPATIAL = new Set(["Conv2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d"]);
/** The length of a step of those schedules that have one, in epochs. */
const EVERY = { step: { every_epochs: 1, factor: 0.5 }, exponential: { every_epochs: 1, factor: 0.8 } };

/** A copy of what the server says of a recipe, to be changed; `validation` examples are set aside where none are. */
export function createDraft({ recipe, examples, choices }, validation) {
  const draft = structuredClone(recipe);
  if (!draft.data.validation && examples > 10 * validation && !draft.train.report_test) draft.data.validation = validation;
  return Object.assign(draft, {
    examples,
    /** Another optimizer begins with its own defaults; the recipe's own with the recipe's. */
    setOptimizer(name) {
      const settings = choices.optimizers.find((each) => each.name === name).settings;
      const rate = settings.find((setting) => setting.name === "learning_rate").default;
      draft.optimizer = name === recipe.optimizer.name ? { ...recipe.optimizer } : { name, learning_rate: rate };
    },
    setSchedule(name) {
      draft.schedule = name === recipe.schedule.name ? { ...recipe.schedule } : { name, ...EVERY[name] };
    },
  });
}

/** Whether some feature layer needs its input as a picture. */
const isSpatial = (features) => features.some((layer) => SPATIAL.has(layer.name));

/** What differs from the recipe, by place. */
export function changesOf(recipe, draft) {
  const changes = {};
  const note = (place, now, before) => {
    if (JSON.stringify(now) !== JSON.stringify(before)) changes[place] = now;
  };
  for (const name of ["hidden", "activation", "dropout", "init"]) note(`model.${name}`, draft.model[name], recipe.model[name]);
  note("model.features", complete(draft.model.features), recipe.model.features);
  note("optimizer", draft.optimizer, recipe.optimizer);
  note("schedule", draft.schedule, recipe.schedule);
  for (const name of ["epochs", "batch_size", "seed"]) note(`train.${name}`, draft.train[name], recipe.train[name]);
  note("data.validation", draft.data.validation, recipe.data.validation);
  note("data.layout", isSpatial(draft.model.features) ? "image" : "flat", isSpatial(recipe.model.features) ? "image" : "flat");
  if (changes["data.layout"] === "image") changes["data.append_ones"] = false;
  return changes;
}

/** The features with a Flatten behind the last that makes pictures, since linear layers follow. */
export function complete(features) {
  const last = features.findLastIndex((layer) => SPATIAL.has(layer.name));
  if (last < 0) return features.filter((layer) => layer.name !== "Flatten");
  if (features.slice(last).some((layer) => layer.name === "Flatten")) return features;
  return [...features, { name: "Flatten" }];
}
