// Types of bundle.mjs.
import type { TrainerParts } from "./trainer.ts";

export declare function trainerParts(): Promise<TrainerParts>;
