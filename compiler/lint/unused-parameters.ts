// DLM2501: parameters that no objective reads.
import type { Lint } from "./finding.ts";
import { unmovedParameters } from "./parameters.ts";

export const unusedParameters: Lint = {
  code: "DLM2501",
  severity: "warning",
  check: (linted) =>
    unmovedParameters(linted).unread.map(({ parameter, span }) => ({
      span,
      message: `the parameter ${parameter.path} is in no objective, so training leaves it as it is drawn`,
      hint: "use its layer in an objective, or leave it out",
    })),
};
