import type { DeploymentHandle } from 'inserve';
import type { Equal, Expect } from './expect.ts';

/** String-named members besides those of every handle. */
type Keys<T> = Exclude<keyof DeploymentHandle<T> & string, 'options' | 'broadcast'>;

class Base {
  inherited(): void {}
  protected hidden(): void {}
}

const plain = Symbol('plain');

class Full extends Base {
  static made(): void {}
  data = 1;
  maybe: (() => void) | null = null;
  readonly config: { deep: () => void } = { deep: () => {} };
  ownFunction = async (n: number): Promise<number> => n;
  declare untyped: ReturnType<typeof JSON.parse>;
  #field = 0;
  constructor() {
    super();
    this.#secret();
    this.privately();
  }
  call(): void {}
  predict(): void {}
  get size(): number {
    return this.#field;
  }
  #secret(): void {}
  private privately(): void {}
  protected guarded(): void {}
  _underscored(): void {}
  [plain](): void {}
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
  reconfigure(): void {}
  checkHealth(): void {}
  recordAutoscalingStats(): void {}
  fetch(): void {}
  websocket(): void {}
}

export type OnlyPublicMethods = Expect<
  Equal<Keys<typeof Full>, 'remote' | 'map' | 'inherited' | 'ownFunction' | 'predict'>
>;

class WithoutCall {
  detect(): void {}
}
export type NoCallNoRemote = Expect<Equal<Keys<typeof WithoutCall>, 'detect'>>;

declare function summarize(text: string): string;
export type AFunctionIsCall = Expect<Equal<Keys<typeof summarize>, 'remote' | 'map'>>;

interface Api {
  detect(clip: Float32Array): Promise<number[]>;
  warmUp?(): void;
  readonly rate: number;
}
export type OfAnInterface = Expect<Equal<Keys<Api>, 'detect' | 'warmUp'>>;

type Alias = { detect(clip: Float32Array): Promise<number[]>; warmUp?: () => void; readonly rate: number };
export type OfATypeAlias = Expect<Equal<Keys<Alias>, 'detect' | 'warmUp'>>;

class Generic<T> {
  put(value: T): T {
    return value;
  }
}
class OfStrings extends Generic<string> {
  clear(): void {}
}
export type OfAGenericBase = Expect<Equal<Keys<typeof OfStrings>, 'put' | 'clear'>>;

export type ByClassOrByInstance = Expect<Equal<DeploymentHandle<typeof Full>, DeploymentHandle<Full>>>;

class PrivatelyMade {
  private constructor() {}
  static create(): PrivatelyMade {
    return new PrivatelyMade();
  }
  run(): void {}
}
export type WithAPrivateConstructor = Expect<Equal<Keys<typeof PrivatelyMade>, 'run'>>;

export type UnknownHasNoMethods = Expect<Equal<Keys<unknown>, never>>;
