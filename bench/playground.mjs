// Runs playground.ts, with the address of the builder, which cannot be bundled.
import { runBundled } from "../test/bundled.mjs";

process.argv.splice(2, 0, new URL("../playground/build.mjs", import.meta.url).href);
await runBundled(new URL("playground.ts", import.meta.url), "bench-playground");
