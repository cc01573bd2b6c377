import { type DeploymentHandle, deployment } from 'inserve';

interface Order {
  fruit: string;
  amount: number;
}

/** A stand sells one kind of fruit, at the price that its user config says. */
abstract class FruitStand {
  #price = Number.NaN;

  // Called at the start, and again whenever the config changes: the stand stays open.
  reconfigure({ price }: { price: number }) {
    if (!(price > 0)) throw new RangeError(`a price must be above 0, not ${price}`);
    this.#price = price;
  }

  checkOut(amount: number) {
    return this.#price * amount;
  }
}

class MangoStand extends FruitStand {}
class OrangeStand extends FruitStand {}
class PearStand extends FruitStand {}

/** The ingress: sends an order to the stand that has the fruit. */
class FruitMarket {
  readonly #stands: ReadonlyMap<string, DeploymentHandle<typeof MangoStand>>;

  constructor(stands: Record<string, DeploymentHandle<typeof MangoStand>>) {
    this.#stands = new Map(Object.entries(stands));
  }

  async call(request: Request) {
    const { fruit, amount } = (await request.json()) as Order;
    const stand = this.#stands.get(fruit);
    if (stand === undefined) return Response.json({ error: `nobody sells ${fruit}` }, { status: 404 });
    return { fruit, amount, price: await stand.checkOut.remote(amount) };
  }
}

const mango = deployment(MangoStand, { name: 'MangoStand', userConfig: { price: 3 } });
const orange = deployment(OrangeStand, { name: 'OrangeStand', userConfig: { price: 2 } });
const pear = deployment(PearStand, { name: 'PearStand', userConfig: { price: 4 } });

export const market = deployment(FruitMarket, { name: 'FruitMarket' }).bind({
  mango: mango.bind(),
  orange: orange.bind(),
  pear: pear.bind(),
});
