// Kernels on a device against the direct evaluation of their specifications.
import { beforeAll, expect, test } from "vitest";
import { targets } from "../../compiler/schedule/target.ts";
import { cases } from "./cases.ts";
import { check } from "./check.ts";
import { openDevice, type TestDevice } from "./device.ts";

let on: TestDevice;
beforeAll(async () => {
  on = await openDevice();
  expect(on.name).not.toBe("");
});
for (const target of Object.values(targets)) for (const c of cases) test(`${target.name}: ${c.name}`, async () => void (await check(on, c, { target })));
