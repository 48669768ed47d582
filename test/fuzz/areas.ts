// The areas, by name. A seed names the same case for good.
import type { Area } from "./area.ts";
import { callProgram } from "./calls.ts";
import { programArea } from "./check.ts";
import { checkpointArea } from "./checkpoints.ts";
import { exactProgram } from "./exact.ts";
import { smoothProgram } from "./smooth.ts";
import { dataArea } from "./data.ts";
import { kernelArea } from "./kernels.ts";
import { planArea } from "./plans.ts";
import { sourceArea } from "./mutations.ts";
import { sumProgram } from "./sums.ts";
import { trainingArea } from "./training.ts";

const makers = [
  exactProgram,
  smoothProgram,
  callProgram,
  exactProgram,
  callProgram,
  smoothProgram,
  exactProgram,
  sumProgram,
];
export const areas: readonly Area[] = [
  programArea((seed) => makers[seed % makers.length]!(seed)),
  trainingArea,
  sourceArea,
  kernelArea,
  dataArea,
  planArea,
  checkpointArea,
];
