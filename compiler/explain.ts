// The paragraph behind every code, for `dlm explain` and for the pages made from it.
import { explanations as ofMeaning } from "./elaborate/explain.ts";
import { explanations as ofReading } from "../grammar/explain.ts";

export const explanations: Readonly<Record<string, string>> = { ...ofReading, ...ofMeaning };
