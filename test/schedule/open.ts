// The device of the tests as kernels see it.
import { testDevice } from "../device.ts";
import type { TestDevice } from "./device.ts";

export async function openDevice(): Promise<TestDevice> {
  const { device, facts } = await testDevice();
  const { subgroupSize } = facts;
  return {
    device,
    name: facts.name,
    lanes: subgroupSize && subgroupSize.least === subgroupSize.most ? subgroupSize.most : 0,
  };
}
