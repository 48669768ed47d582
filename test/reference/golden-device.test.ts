// Every reference case that has a translation, on a device.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { testDevice } from "../device.ts";
import type { ReferenceCase } from "./case.ts";
import { runOnDevice } from "./on-device.ts";

const folder = new URL("../golden/", import.meta.url);
const families = readdirSync(folder, { withFileTypes: true })
  .filter((x) => x.isDirectory())
  .map((x) => x.name);
describe.each(families)("%s", (family) => {
  test("agrees with PyTorch on a device", async () => {
    const { device } = await testDevice();
    const failures: string[] = [];
    for (const name of readdirSync(new URL(`${family}/`, folder))) {
      const c = JSON.parse(readFileSync(new URL(`${family}/${name}`, folder), "utf8")) as ReferenceCase;
      const outcome = await runOnDevice(c, device);
      if (outcome.kind !== "passed") failures.push(`${c.name}: ${outcome.reason}`);
    }
    expect(failures).toEqual([]);
  }, 600_000);
});
