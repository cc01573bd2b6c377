/**
 * Shows a fleet at work: starts a Redis, three app servers and a load; kills the leader, starts a fourth server, freezes Redis,
 * and says what was lost. Ends with code 1 if any request to a server that lives was.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from './load.ts';
import { AppInstance, Redis } from './processes.ts';
import { Screen } from './screen.ts';

const ACT_MS = Number(process.env['ACT_MS'] ?? 10_000);
const LOOK_MS = 1_000;

const redis = await Redis.start();
const env = {
  INSERVE_REDIS_URL: redis.url,
  INSERVE_FLEET_SECRET: crypto.randomUUID() + crypto.randomUUID(),
};
const instances: AppInstance[] = [];
try {
  instances.push(...(await Promise.all(['a', 'b', 'c'].map((name) => AppInstance.start(name, env)))));
  const load = new Load(() => instances);
  const screen = new Screen(process.stdout, load, () => instances);
  const looks = setInterval(() => {
    void Promise.all(instances.map((instance) => instance.look())).then(() => screen.draw());
  }, LOOK_MS);

  screen.say('Three instances share four replicas.');
  await delay(ACT_MS);

  const leader = instances.find(({ isLeading }) => isLeading);
  if (leader === undefined) throw new Error('no instance leads the fleet');
  screen.say(`Kills ${leader.name}, the leader (SIGKILL).`);
  leader.kill();
  await delay(ACT_MS);

  screen.say('Starts a fourth instance.');
  instances.push(await AppInstance.start('d', env));
  await delay(ACT_MS);

  screen.say('Freezes Redis (SIGSTOP).');
  redis.freeze();
  await delay(ACT_MS);
  redis.thaw();
  screen.say('Redis answers again.');
  await delay(ACT_MS / 2);

  clearInterval(looks);
  await load.stop();
  const total = load.served + load.lost;
  screen.say(`${load.lost} of ${total} requests lost on surviving instances.`);
  for (const [reason, count] of load.reasons) screen.say(`  ${count} × ${reason}`);
  if (load.lost > 0) process.exitCode = 1;
} finally {
  await Promise.all(instances.map((instance) => instance.stop()));
  redis.stop();
}
