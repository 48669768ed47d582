// What trainer.mjs holds of the runtime wherever it runs: models, and what a page has for them. What only Node has is host.ts.
export { createTrainer } from "./lasting.ts";
export { browserDevice, fetchFile, host } from "./page.ts";
