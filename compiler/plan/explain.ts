// What `dlm explain CODE` says of the diagnostics of plans.
export const explanations: Readonly<Record<string, string>> = {
  DLM4001:
    "A budget of memory (`--memory 2GB`, or the option `memory` of `compile`) is for everything that a plan keeps on the device: parameters, gradients, what the optimizer keeps, data, and the values of a step. Values that are kept for the backward pass are computed again instead, those first that free most bytes for their arithmetic; evaluations take fewer rows at a time. What is told is what is left then. A smaller batch takes less; more batches for a step (`accumulate`) make the same step of it.\n\n    train fit on d(batch: 512) { ... }                    # wrong, where 512 rows do not fit\n    train fit on d(batch: 64) { accumulate: 8 ... }       # right: the same 512 rows",
};
