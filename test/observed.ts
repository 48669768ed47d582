// A device whose calls are told before they are made: for counting them, and for what happens when one fails, or when the device is lost there.
type Method = (...args: readonly unknown[]) => unknown;
/** What stands in for a call; undefined: the call itself. */
export type Told = (call: string) => { readonly instead: () => unknown } | undefined;

/** Until the result is called, every call of this device, its queue, and the encoders, passes and buffers that it makes is told as "queue.submit". */
export function observe(device: GPUDevice, told: Told): () => void {
  const undo: (() => void)[] = [];
  const patch = (
    of: object,
    name: string,
    calls: readonly string[],
    then: (made: object, call: string) => void = () => {},
  ): void => {
    const object = of as Record<string, Method>;
    for (const call of calls) {
      const own = object[call]!.bind(of);
      object[call] = (...args) => {
        const answer = told(`${name}.${call}`);
        const made = answer ? answer.instead() : own(...args);
        if (typeof made === "object" && made !== null && !(made instanceof Promise)) then(made, call);
        return made;
      };
      undo.push(() => delete object[call]);
    }
  };
  const pass = (made: object): void => patch(made, "pass", ["dispatchWorkgroups", "end"]);
  const encoder = (made: object): void =>
    patch(made, "encoder", ["beginComputePass", "copyBufferToBuffer", "clearBuffer", "finish"], (x, call) => {
      if (call === "beginComputePass") pass(x);
    });
  const made: Readonly<Record<string, (x: object) => void>> = {
    createCommandEncoder: encoder,
    createBuffer: (x) => patch(x, "buffer", ["mapAsync", "getMappedRange"]),
  };
  patch(
    device,
    "device",
    "createBuffer createBindGroup createBindGroupLayout createPipelineLayout createShaderModule createComputePipelineAsync createCommandEncoder".split(
      " ",
    ),
    (x, call) => made[call]?.(x),
  );
  patch(device.queue, "queue", ["submit", "writeBuffer"]);
  return () => undo.forEach((f) => f());
}

/** From the call on for which `isLost` says so, the device is lost as WebGPU has it: nothing is done any more, maps are refused, `lost` tells of it. */
export function lose(device: GPUDevice, isLost: (call: string) => boolean): () => void {
  let gone = false;
  let tell: (info: GPUDeviceLostInfo) => void = () => {};
  const own = device.lost;
  const setLost = (value: Promise<GPUDeviceLostInfo>): void =>
    void Object.defineProperty(device, "lost", { value, configurable: true });
  setLost(new Promise<GPUDeviceLostInfo>((resolve) => (tell = resolve)));
  // what is mapped already stays so
  const done: Readonly<Record<string, () => unknown>> = {
    "queue.submit": () => undefined,
    "queue.writeBuffer": () => undefined,
    "buffer.mapAsync": () => Promise.reject(new DOMException("the device was lost", "AbortError")),
  };
  const undo = observe(device, (call) => {
    if (!gone && isLost(call)) {
      gone = true;
      // somewhat later, as drivers do
      setTimeout(() => tell({ reason: "unknown", message: "the driver was reset" } as GPUDeviceLostInfo), 1);
    }
    const instead = gone ? done[call] : undefined;
    return instead && { instead };
  });
  return () => {
    undo();
    setLost(own);
  };
}
