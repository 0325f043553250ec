// A creator uploads a picture and sells it; a fan buys it and sees it.
//
//   node dist/examples/quickstart.js picture.jpg
//
// FANSWORLD_URL        the API
// CREATOR_TOKEN        access token of somebody who may publish
// FAN_TOKEN            access token of somebody who has a card
// STRIPE_API_BASE      the local Stripe, whose bank's page is answered here

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

import { createClient, ProblemError, valueOf, type Fansworld } from "../src/client.js";

const PRICE = { price_minor: 499, currency: "USD" };

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

function signedInWith(name: string): Fansworld {
  return createClient({ baseUrl: setting("FANSWORLD_URL"), token: () => setting(name) });
}

const creator = signedInWith("CREATOR_TOKEN");
const fan = signedInWith("FAN_TOKEN");
const key = () => ({ header: { "Idempotency-Key": randomUUID() } });

/** Announces a file, sends it to storage, and says that it is there: the media's id. */
async function upload(path: string): Promise<string> {
  const bytes = await readFile(path);
  const wish = { file_name: basename(path), content_type: "image/jpeg", size_bytes: bytes.length };
  const begun = valueOf(await creator.POST("/api/v1/uploads", { params: key(), body: wish }));
  if (!begun.put) throw new Error("larger files go in parts: see clients/browser");
  const { url, headers } = begun.put;
  const sent = await fetch(url, { method: "PUT", headers, body: bytes });
  if (!sent.ok) throw new Error(`storage answers ${sent.status}`);
  const params = { path: { upload_id: begun.id } };
  const done = await creator.POST("/api/v1/uploads/{upload_id}/complete", { params });
  return valueOf(done).media_id;
}

/** Follows the server-sent events to their end: the last state. */
async function processed(mediaId: string): Promise<string> {
  const params = { path: { media_id: mediaId } };
  const answer = await creator.GET("/api/v1/media/{media_id}/events", {
    params,
    parseAs: "text", // The whole stream: it ends by itself.
  });
  const [last = "{}"] = String(valueOf(answer)).match(/(?<=^data: ).*$/gm)?.slice(-1) ?? [];
  return (JSON.parse(last) as { state: string }).state;
}

/** What would open a media to the fan, as they are told. */
async function offersFor(mediaId: string): Promise<string[]> {
  const params = { path: { media_id: mediaId } };
  try {
    valueOf(await fan.POST("/api/v1/media/{media_id}/playback", { params }));
    return [];
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.status !== 402) throw error;
    return (error.problem.offers ?? []).map((offer) => `${offer.kind} ${offer.price_minor}`);
  }
}

/** In a browser this is `stripe.handleNextAction({ clientSecret })`, and a page of the bank. */
async function confirmWithBank(clientSecret: string): Promise<void> {
  const intent = clientSecret.split("_secret_")[0];
  const page = `${setting("STRIPE_API_BASE")}/_pages/authenticate/${intent}`;
  await fetch(page, { method: "POST", body: new URLSearchParams({ choice: "complete" }) });
}

/** Buys a post, and confirms with the bank where it asks: how it ends. */
async function buy(postId: string): Promise<string> {
  const bought = valueOf(
    await fan.POST("/api/v1/posts/{post_id}/unlock", {
      params: { path: { post_id: postId }, ...key() },
      body: PRICE,
    }),
  );
  const secret = bought.payment?.client_secret;
  if (bought.state !== "requires_action" || !secret) return bought.state;
  await confirmWithBank(secret);
  const params = { path: { unlock_id: bought.id } };
  return valueOf(await fan.POST("/api/v1/unlocks/{unlock_id}/confirmed", { params })).state;
}

const [, , file] = process.argv;
if (file === undefined) throw new Error("which picture?");

const mediaId = await upload(file);
console.log(`processed: ${await processed(mediaId)}`);

const post = valueOf(
  await creator.POST("/api/v1/posts", {
    params: key(),
    body: {
      body: "The harbour at night",
      media_ids: [mediaId],
      audience: "paid",
      state: "published",
      ...PRICE,
    },
  }),
);
console.log(`locked: ${(await offersFor(mediaId)).join(", ")}`);
console.log(`bought: ${await buy(post.id)}`);

const params = { path: { media_id: mediaId } };
const playback = valueOf(await fan.POST("/api/v1/media/{media_id}/playback", { params }));
const address = playback.renditions.find((each) => each.kind === "image")?.url;
if (!address) throw new Error("no picture came");
const picture = await fetch(address);
console.log(`seen: ${picture.headers.get("content-type")}`);
