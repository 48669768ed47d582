// Settings of train and data blocks, holdouts, and what is set from outside.
import type { Fix, Span } from "../../../grammar/diagnostic.ts";
import { inserting, wrapping, writing } from "../../../grammar/fixes.ts";
import { commonChoices } from "../../std/facts.ts";
import { error, type Fault } from "./fault.ts";
import { wantedText, type Wanted } from "./kinds.ts";

const wrong = (span: Span, what: string, reason: string, hint?: string, fixes: readonly Fix[] = []): Fault =>
  error("DLM2015", span, `${what} ${reason}`, { hint, fixes });

// ---- values
/** `got`: what is there, where that is worth telling. */
export const settingNeeds = (span: Span, setting: string, want: Wanted, got?: string): Fault =>
  wrong(span, setting, `must be ${wantedText(want)}${got === undefined ? "" : `; this is ${got}`}`);
export const setFromOutside = (span: Span, name: string, want: Wanted, given: string | number): Fault =>
  wrong(span, name, `must be ${wantedText(want)}; it is set to ${given} from outside`);
/** `form`: how it is written. `example`: a whole setting of this form. */
export const settingForm = (span: Span, setting: string, form: string, example?: string): Fault =>
  wrong(
    span,
    setting,
    `is written ${form}`,
    example === undefined ? undefined : `write ${setting}: ${example}`,
    example === undefined || example.includes("...") ? [] : [writing(span, example)],
  );
export const notMeasured = (span: Span, setting: string): Fault =>
  wrong(span, setting, "names a measured value, as valid.loss");
/** `split` is named, but `data` has no part to measure on; or there is no data. */
export const nothingMeasured = (span: Span, setting: string, split: string, data: string | undefined): Fault =>
  data === undefined
    ? wrong(span, setting, "needs data to measure on")
    : wrong(
        span,
        setting,
        `names \`${split}\`, but ${data} has no part to measure on`,
        `write holdout ${split} = 0.1 in ${data}, or train.loss for the rows that are trained on`,
      );
export const twoMeasured = (span: Span, setting: string, example: string): Fault =>
  wrong(span, setting, "compares one measured value", `write ${example}`);
export const unknownDirection = (span: Span, setting: string, metric: string, example: string): Fault =>
  wrong(
    span,
    setting,
    `does not know whether less or more of ${metric} is better`,
    `write ${example}, or max: where more is better`,
  );

// ---- train blocks
const block = (name: string): string => `the train block ${name}`;
export const noBatch = (span: Span, train: string, data: string): Fault =>
  wrong(span, block(train), "does not say how many rows a step reads", `write on ${data}(batch: 32)`, batchFix(span));
/** \`digits\`, \`digits()\`, \`digits(seed: 1)\` */
function batchFix(on: Span): Fix[] {
  const text = on.file.text.slice(on.start, on.end);
  if (!text.includes("(")) return [inserting(on.file, on.end, "(batch: 32)")];
  const at = on.start + text.indexOf("(") + 1;
  return [
    inserting(on.file, at, /^\s*\)/.test(on.file.text.slice(at)) ? "batch: 32" : "batch: 32, ", "add `batch: 32`"),
  ];
}
/** At the end of the first line of the block. */
function statementFix(name: Span, statement: string): Fix[] {
  const open = name.file.text.indexOf("{", name.end);
  return open < 0 ? [] : [inserting(name.file, open + 1, `\n  ${statement}`)];
}
export const unknownRows = (span: Span): Fault =>
  wrong(
    span,
    "batch",
    "`all` needs the number of rows, which is read from the data; compile with the command line, or give `rows`",
  );
export const noLength = (span: Span, train: string): Fault =>
  wrong(span, block(train), "needs `epochs` or `steps`", "write epochs: 10", statementFix(span, "epochs: 10"));
export const epochsWithoutData = (span: Span, train: string): Fault =>
  wrong(span, block(train), "has `epochs` but no data", "write steps: n");
export const epochsOfNothing = (span: Span, setting: string): Fault =>
  wrong(span, setting, "counts epochs, and the block has no data", "write every 500 steps", [writing(span, "steps")]);
export const nothingMinimized = (span: Span, train: string): Fault =>
  wrong(
    span,
    block(train),
    "does nothing",
    `write minimize e by ${commonChoices("optimizer")[0]}, a state with its next value, or a metric`,
  );
export const metricEvery = (span: Span, word: string): Fault =>
  wrong(span, "a metric", `is computed in every step, or \`every evaluation\`; this is every ${word}`);
export const metricLoss = (span: Span): Fault =>
  wrong(span, "the metric loss", "is the first objective already", "give this one another name");
export const noDependence = (span: Span, name: string): Fault =>
  error("DLM2012", span, `the value does not depend on ${name}, so it has no gradient`, {
    hint: "differentiate with respect to something it is computed from, and check for `stop` and `frozen`",
  });
export const notScalar = (span: Span, what: string, got: string): Fault =>
  error("DLM2018", span, `${what} must be a single number, this is ${got}`, {
    hint: "reduce it with mean(...) or sum(...)",
    fixes: [wrapping(span, "mean(", ")"), wrapping(span, "sum(", ")")],
  });
export const staleValue = (span: Span, what: "objective" | "derivative", name: string, update: Span): Fault =>
  error("DLM2019", span, `this ${what} uses a value that was computed before \`${name}\` was updated`, {
    labels: [{ span: update, text: "updated here" }],
    hint: "compute the value again below the update, or wrap it in stop(...)",
  });

// ---- holdouts
const holdout = (name: string): string => `holdout ${name}`;
export const holdoutOfItself = (span: Span, name: string): Fault =>
  wrong(span, holdout(name), "is the same data that is trained on", "name other data, or give a share: 0.1");
/** `other`, which is held out, lacks a field of `data`. */
export const holdoutField = (span: Span, name: string, data: string, other: string | undefined, field: string): Fault =>
  wrong(span, holdout(name), `needs the fields of ${data}: ${other ?? name} has no \`${field}\``);
export const holdoutFormula = (span: Span, name: string, field: string, data: string): Fault =>
  wrong(
    span,
    holdout(name),
    `computes \`${field}\` in another way than ${data}, and the number of rows is not known`,
    "write the same formula in both, or give both `rows`",
  );
export const holdoutRange = (span: Span, name: string, field: string, data: string): Fault =>
  wrong(span, holdout(name), `has numbers \`${field}\` outside of the range that ${data} declares`);
export const nothingToTrain = (span: Span): Fault =>
  wrong(span, "holdout", "leaves no rows to train on: the shares add up to 1 or more");
export const notShare = (span: Span, got: string): Fault =>
  wrong(span, "holdout", `must be a share between 0 and 1, or other data; this is ${got}`);
