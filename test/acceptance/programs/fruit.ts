import { DAGDriver, type DeploymentHandle, deployment, InputNode } from '../../../src/index.ts';

interface Price {
  price: number;
}

/** A stand sells one fruit, at the price of its user config. */
export abstract class FruitStand {
  #price = Number.NaN;

  reconfigure({ price }: Price): void {
    if (!(price >= 0)) throw new RangeError(`a price must not be negative: ${price}`);
    this.#price = price;
  }

  checkPrice(amount: number): number {
    return this.#price * amount;
  }
}

class MangoStand extends FruitStand {}
class OrangeStand extends FruitStand {}
class PearStand extends FruitStand {}

type Stand = DeploymentHandle<typeof MangoStand>;

/** Knows which stand has what. */
class FruitMarket {
  readonly #directory: ReadonlyMap<string, Stand>;

  constructor(mango: Stand, orange: Stand, pear: Stand) {
    this.#directory = new Map([
      ['MANGO', mango],
      ['ORANGE', orange],
      ['PEAR', pear],
    ]);
  }

  async checkPrice(fruit: string, amount: number): Promise<number> {
    return (await this.#directory.get(fruit)?.checkPrice.remote(amount)) ?? -1;
  }
}

const market = deployment(FruitMarket).bind(
  deployment(MangoStand, { numReplicas: 2, userConfig: { price: 3 } }).bind(),
  deployment(OrangeStand, { userConfig: { price: 2 } }).bind(),
  deployment(PearStand, { userConfig: { price: 4 } }).bind(),
);

const order = new InputNode<[fruit: string, amount: number]>();

/** Takes `["PEAR", 2]` as JSON, and answers what that costs; −1 if nobody sells it. */
export const graph = DAGDriver.bind(market.checkPrice.bind(order[0], order[1]));
