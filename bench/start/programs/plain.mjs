import express from 'express';

const app = express();
app.get('/json', (_req, res) => res.json({ ok: true }));
const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port));
