// Announces uploads, lists them page by page, edits one with its ETag, and reads a problem.
//
//   FANSWORLD_URL=http://localhost:8000 FANSWORLD_TOKEN=… node dist/examples/media.js

import { randomUUID } from "node:crypto";

import { createClient, itemsOf, valueOf, ProblemError, type Schemas } from "../src/client.js";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

const api = createClient({
  baseUrl: setting("FANSWORLD_URL"),
  token: () => setting("FANSWORLD_TOKEN"),
});

const wish: Schemas["UploadCreate"] = {
  file_name: "beach.jpg",
  content_type: "image/jpeg",
  size_bytes: 1000,
};

async function announce(key: string) {
  const params = { header: { "Idempotency-Key": key } };
  const { data, error, response } = await api.POST("/api/v1/uploads", { params, body: wish });
  const upload = valueOf({ data, error });
  return { upload, isReplayed: response.headers.get("idempotency-replayed") === "true" };
}

const key = randomUUID();
const first = await announce(key);
const again = await announce(key);
await announce(randomUUID());

const titles = new Map<string, string | null | undefined>();
const own = itemsOf((cursor) => {
  const query = cursor === undefined ? { limit: 1 } : { limit: 1, cursor };
  return api.GET("/api/v1/media", { params: { query } });
});
for await (const media of own) titles.set(media.id, media.title);

const path = { media_id: first.upload.media_id };
const read = await api.GET("/api/v1/media/{media_id}", { params: { path } });
const etag = read.response.headers.get("etag") ?? "";
const edited = valueOf(
  await api.PATCH("/api/v1/media/{media_id}", {
    params: { path, header: { "if-match": etag } },
    body: { title: "A day at the beach" },
  }),
);

let refused: string | undefined;
try {
  const gone = { media_id: randomUUID() };
  valueOf(await api.GET("/api/v1/media/{media_id}", { params: { path: gone } }));
} catch (error) {
  if (!(error instanceof ProblemError)) throw error;
  refused = error.problem.code;
}

console.log(
  JSON.stringify({
    sameUpload: first.upload.id === again.upload.id,
    replayed: [first.isReplayed, again.isReplayed],
    listed: titles.size,
    title: edited.title,
    refused,
  }),
);
