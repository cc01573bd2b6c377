import { ADMISSION, type Entering, type Entry } from '../../../src/handle/queue/admission-control.ts';

/** A call that stands before the gate of an instance. */
export class EnteringCall implements Entering {
  readonly priorityRank: number;
  readonly tenant: string;
  readonly createdAt = 0;
  entry: Entry = ADMISSION.outside;

  constructor(priorityRank: number, tenant = '') {
    this.priorityRank = priorityRank;
    this.tenant = tenant;
  }

  entered(entry: Entry): void {
    this.entry = entry;
  }
}
