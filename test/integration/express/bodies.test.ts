import { bodies } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

bodies(mountExpress);
