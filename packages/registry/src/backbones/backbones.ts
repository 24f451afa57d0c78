/** The backbones of a bucket, which belong to no tenant: what is there, bringing one in, getting one out. */
import { type Clock, systemClock } from '@polyprompt/clock';
import { folders, isSegment, type Storage } from '@polyprompt/storage';
import { RegistryError } from '../errors.ts';
import { type FetchedBackbone, type FetchOptions, fetchBackbone } from './fetch.ts';
import { assertConsistent, BackboneManifest, manifestKey } from './manifest.ts';
import { type LocalBackbone, type Pushed, type PushOptions, pushBackbone } from './push.ts';

export class Backbones {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor({ storage, clock = systemClock }: { storage: Storage; clock?: Clock }) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** In order of their ids. */
  async list(): Promise<BackboneManifest[]> {
    const manifests: BackboneManifest[] = [];
    for await (const id of this.#storage.listFolders(folders.backbones)) {
      const manifest = await this.find(id);
      if (manifest !== undefined) manifests.push(manifest);
    }
    return manifests;
  }

  /** @returns undefined when there is none. @throws RegistryError `backbone_damaged` */
  async find(id: string): Promise<BackboneManifest | undefined> {
    if (!isSegment(id)) return undefined;
    const document = await this.#storage.documents(BackboneManifest).read(manifestKey(id));
    return document && assertConsistent(document.value);
  }

  /**
   * Stores a backbone; what is there already is not sent again, so an interrupted push can be repeated. With
   * `replace` all is sent, which repairs a damaged one.
   * @throws RegistryError `backbone_exists` if the id stands for another; StorageError
   */
  push(backbone: LocalBackbone, options: PushOptions = {}): Promise<Pushed> {
    return pushBackbone({ storage: this.#storage, clock: this.#clock }, backbone, options);
  }

  /**
   * Brings a backbone to this machine unless it is there; the folder is complete and checked.
   * @throws RegistryError `backbone_not_found` naming those there are, `backbone_damaged`, `no_space`; StorageError
   */
  async fetch(id: string, options: FetchOptions): Promise<FetchedBackbone> {
    const manifest = await this.find(id);
    if (manifest !== undefined) return fetchBackbone(this.#storage, manifest, options);
    const known: string[] = [];
    for await (const each of this.#storage.listFolders(folders.backbones)) known.push(each);
    throw new RegistryError(
      'backbone_not_found',
      `the store has no backbone ${JSON.stringify(id)}, it has ${known.join(', ') || 'none'}; push it with: polyprompt backbone push DIR s3://BUCKET`,
    );
  }
}
