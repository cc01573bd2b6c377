/**
 * Mean wait in an M/M/n queue, as a multiple of the mean service time (Erlang's C formula).
 *
 * @param load of each server, below 1
 */
export function erlangWait(servers: number, load: number): number {
  const offered = servers * load;
  // Erlang's B by its recursion, then C.
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = (offered * blocking) / (n + offered * blocking);
  const waiting = blocking / (1 - load * (1 - blocking));
  return waiting / (servers - offered);
}
