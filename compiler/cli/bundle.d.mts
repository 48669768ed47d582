// Types of bundle.mjs.
import type { TrainerParts } from "./trainer.ts";

export declare function trainerParts(): Promise<TrainerParts>;
export function viewerParts(): Promise<{ readonly js: string; readonly css: string }>;
