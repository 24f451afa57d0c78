/// <reference path="../.sst/platform/config.d.ts" />
import { resolve } from 'node:path';
import type { Architecture } from './settings.ts';

const KEPT_IMAGES = 5;

/** Builds a Dockerfile of the project and pushes it; needs Docker with buildx where `sst deploy` runs. */
export function image(name: string, dockerfile: string, architecture: Architecture) {
  const repository = new aws.ecr.Repository(`${name}Repository`, {
    // Images are made anew from the sources; a stage that is removed would fail over them.
    forceDelete: true,
    imageScanningConfiguration: { scanOnPush: true },
    encryptionConfigurations: [{ encryptionType: 'AES256' }],
  });
  new aws.ecr.LifecyclePolicy(`${name}RepositoryLifecycle`, {
    repository: repository.name,
    policy: JSON.stringify({
      rules: [
        {
          rulePriority: 1,
          description: `the last ${KEPT_IMAGES} images, to go back to`,
          selection: {
            tagStatus: 'any',
            countType: 'imageCountMoreThan',
            countNumber: KEPT_IMAGES,
          },
          action: { type: 'expire' },
        },
      ],
    }),
  });
  const login = aws.ecr.getAuthorizationTokenOutput({ registryId: repository.registryId });
  const built = new dockerbuild.Image(`${name}Image`, {
    // Absolute, because the plugin runs elsewhere.
    context: { location: resolve($cli.paths.root) },
    dockerfile: { location: resolve($cli.paths.root, dockerfile) },
    platforms: [architecture === 'arm64' ? 'linux/arm64' : 'linux/amd64'],
    tags: [$interpolate`${repository.repositoryUrl}:${$app.stage}`],
    push: true,
    buildOnPreview: false,
    registries: [
      {
        address: login.proxyEndpoint,
        username: login.userName,
        password: $util.secret(login.password),
      },
    ],
  });
  // By digest, so that a new image is a new task or job definition and an old one stays what it was.
  return { uri: built.ref };
}
