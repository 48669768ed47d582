// Settings of blocks and arguments behind `on`, as an editor offers them: how each is written, and what it says. The names are those that elaboration knows.
export interface SettingText {
  readonly example: string;
  readonly about: string;
}
export const settings: Readonly<Record<"train" | "data" | "on", Readonly<Record<string, SettingText>>>> = {
  train: {
    epochs: { example: "epochs: 20", about: "How many times all rows are trained on." },
    steps: { example: "steps: 1000", about: "How many steps are made." },
    seed: { example: "seed: 1", about: "Of initial values, draws, holdouts and the order of rows." },
    accumulate: { example: "accumulate: 4", about: "So many batches whose gradients are added up before an update." },
    evaluate: {
      example: "evaluate: 100",
      about: "Every so many steps the metrics are measured (default: every epoch).",
    },
    sample: { example: "sample: 1000", about: "So many rows of a split are measured while training (default: all)." },
    stop: { example: "stop: stalled(min: valid.loss, patience: 3)", about: "When to stop before the end." },
    save: {
      example: 'save: best(min: valid.loss, "best.safetensors")',
      about: "Keeps the parameters of a metric's best value.",
    },
    load: { example: 'load: from("body.safetensors", into: net)', about: "Parameters from a file, before training." },
    checkpoint: { example: "checkpoint: every 5 minutes", about: "How often the checkpoint is written." },
    keep: { example: "keep: 3", about: "So many of the last checkpoints stay." },
  },
  data: { rows: { example: "rows: 1000", about: "How many rows are made." } },
  on: {
    batch: { example: "batch: 64", about: "How many rows a step reads, or `all`." },
    seed: { example: "seed: 1", about: "Of the holdouts and the order of rows." },
    shuffle: { example: "shuffle: false", about: "Are rows drawn in another order each epoch (default: true)?" },
  },
};
