import { type BoundDeployment, type Deployable, type DeploymentHandle, deployment } from 'inserve';
import type { Equal, Expect } from './expect.ts';

declare class Detector {
  private constructor(weights: Float32Array);
  static create(options: { model: string; threads?: number }): Promise<Detector>;
  detect(clip: Float32Array): Promise<number[]>;
}
declare class Scorer {
  score(text: string): number;
}
interface Scoring {
  score(text: string): number | Promise<number>;
}
declare class Ingress {
  constructor(
    detector: DeploymentHandle<typeof Detector>,
    options?: {
      scorers: DeploymentHandle<typeof Scorer>[];
      pair: readonly [DeploymentHandle<typeof Detector>, DeploymentHandle<typeof Scorer>];
      byName: Map<string, DeploymentHandle<typeof Scorer>>;
      nested: { deep: { scorer?: DeploymentHandle<typeof Scorer> | undefined } };
    },
  );
  call(request: Request): Promise<Response>;
}
declare function summarize(text: string): string;
declare function translate(text: string, to: 'en' | 'de'): Promise<string>;

const detector = deployment(Detector).bind({ model: 'a.onnx' });
const scorer = deployment(Scorer).bind();

export type OfTheClass = Expect<Equal<typeof detector, BoundDeployment<typeof Detector>>>;
export type OfTheInstance = Expect<Equal<typeof detector, BoundDeployment<Detector>>>;

export const ingress = deployment(Ingress).bind(detector);
export const nested = deployment(Ingress).bind(detector, {
  scorers: [scorer, scorer],
  pair: [detector, scorer],
  byName: new Map([['a', scorer]]),
  nested: { deep: { scorer } },
});
export const absent = deployment(Ingress).bind(detector, {
  scorers: [],
  pair: [detector, scorer],
  byName: new Map(),
  nested: { deep: {} },
});

export function mistakes(): void {
  const make = deployment(Ingress);
  // @ts-expect-error the wrong class
  make.bind(scorer);
  // @ts-expect-error a class that is not bound
  make.bind(Detector);
  // @ts-expect-error a deployment that is not bound
  make.bind(deployment(Detector));
  // @ts-expect-error no argument
  make.bind();
  // @ts-expect-error one too many
  make.bind(detector, undefined, 1);
  make.bind(detector, {
    // @ts-expect-error the wrong class in an array
    scorers: [detector],
    // @ts-expect-error the wrong order in a tuple
    pair: [scorer, detector],
    // @ts-expect-error the wrong class in a map
    byName: new Map([['a', detector]]),
    // @ts-expect-error the wrong class in an optional property
    nested: { deep: { scorer: detector } },
  });
  // @ts-expect-error another option
  deployment(Detector).bind({ model: 'a.onnx', treads: 2 });
  // @ts-expect-error the parameters are those of create()
  deployment(Detector).bind(new Float32Array(1));
  // @ts-expect-error a function is bound to what it takes
  deployment(summarize).bind(5);
}

// An interface is enough, so a test or another implementation can stand in.
declare class ByInterface {
  constructor(scoring: DeploymentHandle<Scoring>, maybe?: DeploymentHandle<Scoring> | null);
}
export const byInterface = deployment(ByInterface).bind(scorer);
export const byInterfaceAndNull = deployment(ByInterface).bind(scorer, null);
// @ts-expect-error it has no score()
deployment(ByInterface).bind(detector);

declare class SubScorer extends Scorer {
  constructor(scale: number);
}
declare class OfBase {
  constructor(scorer: DeploymentHandle<typeof Scorer>);
}
export const subclass = deployment(OfBase).bind(deployment(SubScorer).bind(2));

declare class OfFunction {
  constructor(summary: DeploymentHandle<typeof summarize>);
}
export const ofFunction = deployment(OfFunction).bind(deployment(summarize).bind());
// @ts-expect-error it needs a second argument
deployment(OfFunction).bind(deployment(translate).bind());

declare class Plain {
  constructor(
    weights: Float32Array | null,
    when: Date,
    onLoad?: () => void,
    settings?: {
      retry: { times: number };
      tags: Set<string>;
      any: ReturnType<typeof JSON.parse>;
      unknown: unknown;
    },
  );
}
export const plain = deployment(Plain).bind(new Float32Array(2), new Date());
export const plainToo = deployment(Plain).bind(null, new Date(), undefined, {
  retry: { times: 1 },
  tags: new Set(['a']),
  any: { of: 1 },
  unknown: scorer,
});
// @ts-expect-error a function cannot cross a thread
deployment(Plain).bind(null, new Date(), () => {});

declare class CreatesAnother {
  constructor(rate: number);
  static create(name: string): string;
  call(): void;
}
declare class WithCreate {
  static create(name: string): WithCreate;
  warmUp(): void;
}
declare class InheritsCreate extends WithCreate {
  constructor(rate: number);
  call(): void;
}
/** `create()` counts only if it makes instances of the class. */
export const byConstructor = [deployment(CreatesAnother).bind(1), deployment(InheritsCreate).bind(1)];

declare class Rest {
  constructor(...scorers: DeploymentHandle<typeof Scorer>[]);
}
export const rest = [deployment(Rest).bind(), deployment(Rest).bind(scorer, scorer)];
// @ts-expect-error the wrong class
deployment(Rest).bind(scorer, detector);

declare class Chain {
  constructor(next: DeploymentHandle<typeof Chain> | undefined);
  call(): void;
}
export const chain = deployment(Chain).bind(deployment(Chain).bind(undefined));

class WithReservedFields {
  readonly options = { rate: 1 };
  get map(): Map<string, string> {
    return new Map();
  }
}
export const reservedNamesAreFreeForData = deployment(WithReservedFields).bind();

class ReservedField {
  bind = (): void => {};
}
// @ts-expect-error a function field is a method
deployment(ReservedField);
abstract class Abstract {
  abstract call(): void;
}
// @ts-expect-error it cannot be made
deployment(Abstract);
// @ts-expect-error neither a class nor a function
deployment({ call: () => 1 });

/** What a package around this one writes. */
export function wrapped<T extends Function>(target: T & Deployable<T>): ReturnType<typeof deployment<T>> {
  return deployment<T>(target, { module: import.meta.url });
}
export const throughAWrapper: BoundDeployment<typeof Scorer> = wrapped(Scorer).bind();

export const inline = deployment(async (text: string) => text.length, { name: 'length' }).bind();
export type OfAnArrow = Expect<Equal<typeof inline, BoundDeployment<(text: string) => Promise<number>>>>;
