import { type DeploymentHandle, deployment, pythonDeployment } from 'inserve';
import type { IrisClassifier, IrisClassifierArguments, Verdict } from './model.py.d.ts';

export const IrisDeployment = pythonDeployment<IrisClassifier, IrisClassifierArguments>(
  './model.py:IrisClassifier',
  { numReplicas: 2, maxOngoingRequests: 64, resources: { cpus: 0.5 } },
);

/** Names of the measures in a request, in the order that the model knows. */
const MEASURES = ['sepalLength', 'sepalWidth', 'petalLength', 'petalWidth'] as const;

type Flower = Readonly<Record<(typeof MEASURES)[number], number>>;

/** Turns a flower as clients know it into a row, and asks the model in Python. */
export class Flowers {
  readonly #iris: DeploymentHandle<IrisClassifier>;

  constructor(iris: DeploymentHandle<IrisClassifier>) {
    this.#iris = iris;
  }

  async classify(flower: Flower): Promise<Verdict> {
    const row = Float64Array.from(MEASURES, (measure) => flower[measure]);
    return await this.#iris.predict.remote(row);
  }
}

const FlowersDeployment = deployment(Flowers, { name: 'Flowers', maxOngoingRequests: 64 });

export const flowers = FlowersDeployment.bind(IrisDeployment.bind());
