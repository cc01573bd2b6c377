// Wrong code, and what both compilers say about the line below each comment: read by scripts/check-types.mjs.
import { batch, type DeploymentHandle, deployment, InputNode, type Schema, serve } from 'inserve';

class Detector {
  readonly #weights = new Float32Array(2);
  detect(clip: Float32Array, onDone: () => void): number {
    onDone();
    return clip.length + this.#weights.length;
  }
  nested(options: { a: { done: () => void; n: number } }): void {
    options.a.done();
  }
  each(callbacks: (() => void)[]): void {
    for (const callback of callbacks) callback();
  }
  load(from: URL): string {
    return from.href;
  }
  crop(clip: Float32Array, from: number, to: number): Float32Array {
    return clip.subarray(from, to);
  }
}
class Segmenter {
  readonly #detector: DeploymentHandle<typeof Detector>;
  constructor(detector: DeploymentHandle<typeof Detector>, options: { rate: number }) {
    this.#detector = detector;
    void options.rate;
  }
  call(clip: Float32Array): Promise<Float32Array> {
    return this.#detector.crop.remote(clip, 0, 1);
  }
}
class Wrapper {
  readonly detector: Detector;
  constructor(detector: Detector) {
    this.detector = detector;
  }
}
class Nested {
  readonly detector: Detector;
  constructor(parts: { detector: Detector }) {
    this.detector = parts.detector;
  }
}
declare const handle: DeploymentHandle<typeof Detector>;
declare const text: Schema<string>;
const clip = new Float32Array(1);

// error: not assignable to parameter of type 'NotSerializable<"detect(arg 1)", "it is a function">'
handle.detect.remote(clip, () => {});
// error: 'NotSerializable<"nested(arg 0).a.done", "it is a function">'
handle.nested.remote({ a: { n: 1, done: () => {} } });
// error: not assignable to type 'NotSerializable<"each(arg 0)[]", "it is a function">'
handle.each.remote([() => {}]);
// error: 'NotSerializable<"load(arg 0)", "it is an instance of class URL; pass its href">'
handle.load.remote(new URL('file:///model.onnx'));
// error: Property 'detekt' does not exist on type 'DeploymentHandle<typeof Detector>'
handle.detekt.remote(clip);
// error: Property 'remote' does not exist on type 'DeploymentHandle<typeof Detector>'
handle.remote(clip);
// error: 'NotMappable<"map() calls crop with one argument, and it needs more">'
handle.crop.map([clip]);
// error: Argument of type '"crap"' is not assignable to parameter of type '" … "detect"
handle.broadcast('crap', clip);
// error: Property 'detect' does not exist on type 'DeploymentHandle<UntypedHandle<"give the type: serve.handle<typeof Model>(name)">>'
serve.handle('detector').detect.remote(clip);

const detector = deployment(Detector).bind();
const segmenter = deployment(Segmenter).bind(detector, { rate: 16_000 });
// error: Argument of type 'BoundDeploymentOf<typeof Segmenter>' is not assignable to parameter of type
deployment(Segmenter).bind(segmenter, { rate: 16_000 });
// error: Expected 2 arguments, but got 1
deployment(Segmenter).bind(detector);
// error: NotSerializable<" … "bind(arg 0).detect" … "it is a function; a deployment arrives as a handle: type it DeploymentHandle<typeof Model>">
deployment(Wrapper).bind(detector);
// error: NotSerializable<" … "bind(arg 0).detector.detect" … type it DeploymentHandle<typeof Model>">
deployment(Nested).bind({ detector });

// error: Argument of type 'Deployment<typeof Detector, "call .bind() first">'
void serve.run(deployment(Detector));
// error: Argument of type 'Deployment<typeof Detector, "call .bind() first">'
serve.handle(deployment(Detector));
// error: Argument of type 'Deployment<typeof Segmenter, "call .bind() first">'
serve.middleware(deployment(Segmenter));
// error: Argument of type 'Deployment<typeof Detector, "call .bind() first">'
deployment(Segmenter).bind(deployment(Detector), { rate: 16_000 });

// error: not callable … "detect", "call it by detect.remote()">' has no call signatures
handle.detect(clip);

// error: not assignable to parameter of type 'BatchFunction<unknown, unknown, "takes a list, returns a list of the same length">'
batch({}, async (text: string) => text.length);
// error: not assignable to parameter of type 'BatchFunction<string, unknown, "takes a list, returns a list of the same length">'
batch({}, async (texts: string[]) => texts.length);

// error: 'NotExposable<"it has neither call(request), fetch(request) nor websocket(socket, request)">'
serve.middleware(detector);

class Reserved {
  map(): void {}
}
// error: NotDeployable<"rename its method 'map': the name belongs to the handle">
deployment(Reserved);

class Locked {
  private constructor() {}
}
// error: NotDeployable<"its constructor is not public, or it is abstract: add a `static create()` that makes one">
deployment(Locked);

// error: SchemaMismatch<"the target has no remote method 'detekt'">
deployment(Detector, { schemas: { detekt: {} } });
// error: SchemaMismatch<"load() does not take what its input schema gives">
deployment(Detector, { schemas: { load: { input: text } } });
// error: SchemaMismatch<"detect() gives something else than its output schema accepts">
deployment(Detector, { schemas: { detect: { output: text } } });

const input = new InputNode<{ text: string; size: number }>();
const cut = deployment(function cut(text: string, size: number): string {
  return text.slice(0, size);
});
// error: Argument of type 'GraphNode<number>' is not assignable to parameter of type 'string | GraphNode<string>'
export const wrongEdge = cut.bind(input.size, 3);
// error: Property 'txt' does not exist on type 'InputNode<{ text: string; size: number; }>'
export const wrongField = cut.bind(input.txt, 3);
