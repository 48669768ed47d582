// DLM2502: parameters that reach an objective only where the slope is 0.
import type { Lint } from "./finding.ts";
import { unmovedParameters } from "./parameters.ts";

export const flatParameters: Lint = {
  code: "DLM2502",
  severity: "warning",
  check: (linted) =>
    unmovedParameters(linted).flat.map(({ parameter, span }) => ({
      span,
      message: `the parameter ${parameter.path} gets no gradient: it reaches the objective only where the slope is 0`,
      hint: "comparisons, argmax, sign, round and stop pass no gradient; use a smooth form",
    })),
};
