// As much of Node as tests use.

declare module "node:test" {
  export function test(name: string, run: () => void): void;
}

declare module "node:assert/strict" {
  function assert(value: unknown, message?: string): void;
  namespace assert {
    function ok(value: unknown, message?: string): void;
    function equal(found: unknown, wanted: unknown, message?: string): void;
    function notEqual(found: unknown, unwanted: unknown, message?: string): void;
    function deepEqual(found: unknown, wanted: unknown, message?: string): void;
    function throws(run: () => void, wanted?: RegExp): void;
  }
  export default assert;
}
