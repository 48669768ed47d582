// The paragraph behind every code, for `dlm explain` and for the pages made from it.
import { explanations as ofReading } from "../grammar/explain.ts";
import { explanations as ofMeaning } from "./elaborate/explain.ts";
import { explanations as ofLints } from "./lint/explain.ts";
import { explanations as ofPlans } from "./plan/explain.ts";

const all = { ...ofReading, ...ofMeaning, ...ofLints, ...ofPlans };
export const explanations: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)),
);
