/** Whether Express 4 and Koa 2 take the place of Express 5 and Koa 3, in `npm run test:matrix`. */
export const HAS_OLD_FRAMEWORKS: boolean = process.env['INSERVE_TEST_FRAMEWORKS'] !== undefined;
