// DLM2504: a matrix whose elements all begin alike: its units stay alike.
import { commonChoices } from "../std/facts.ts";
import type { Lint } from "./finding.ts";

export const constantMatrices: Lint = {
  code: "DLM2504",
  severity: "warning",
  check: ({ program }) =>
    program.parameters.flatMap(({ path, span, initial, source }) => {
      const alike = initial.kind === "compute" && initial.body.kind === "literal" ? initial.body : undefined;
      if (!span || !alike || source.shape.length < 2 || source.shape.includes(1)) return [];
      return [
        {
          span,
          message: `all elements of ${path} begin as ${alike.value}, so its units stay alike`,
          hint: `draw them: ${["~ normal(0, 0.02)", ...commonChoices("init").slice(0, 1)].join(", or ")}`,
        },
      ];
    }),
};
