/** A replica and the rank it has. */
export interface Ranked {
  readonly rank: number;
}

/** The lowest rank that nobody has. */
export function freeRank(taken: Iterable<Ranked>): number {
  const ranks = new Set([...taken].map(({ rank }) => rank));
  let rank = 0;
  while (ranks.has(rank)) rank++;
  return rank;
}

/**
 * New ranks, so that those of the members are 0…n−1 as far as nobody else has them. Only members beyond that move, the
 * lowest first, and only to where nobody is: no two have a rank at the same time.
 *
 * @param others replicas on their way out, which keep theirs
 */
export function renumber<T extends Ranked>(members: readonly T[], others: Iterable<Ranked>): Map<T, number> {
  const taken: Ranked[] = [...members, ...others];
  const beyond = members.filter(({ rank }) => rank >= members.length).sort((a, b) => a.rank - b.rank);
  const moves = new Map<T, number>();
  for (const member of beyond) {
    const rank = freeRank(taken);
    if (rank >= members.length) break;
    taken.push({ rank });
    moves.set(member, rank);
  }
  return moves;
}
