import { disconnects } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

disconnects(mountExpress);
