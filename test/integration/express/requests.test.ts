import { requests } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

requests(mountExpress);
