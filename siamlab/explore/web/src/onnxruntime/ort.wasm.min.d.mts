// As much of ONNX Runtime Web as features.ts uses; a demo has it beside its scripts.

export const env: { wasm: { wasmPaths: string; numThreads: number } };

export class Tensor {
  constructor(type: "float32", data: Float32Array, shape: number[]);
  data: Float32Array;
}

export class InferenceSession {
  static create(file: string): Promise<InferenceSession>;
  run(inputs: Record<string, Tensor>, outputs: string[]): Promise<Record<string, Tensor>>;
}
