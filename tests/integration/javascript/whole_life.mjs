// The whole life of a classifier, through the AWS SDK for JavaScript as it is published.
// Input: one JSON object on standard input. Output: one JSON object with every answer.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import {
  ClassifyDocumentCommand,
  ComprehendClient,
  CreateDocumentClassifierCommand,
  CreateEndpointCommand,
  DeleteDocumentClassifierCommand,
  DeleteEndpointCommand,
  DescribeDocumentClassificationJobCommand,
  DescribeDocumentClassifierCommand,
  DescribeEndpointCommand,
  ListTagsForResourceCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  StartDocumentClassificationJobCommand,
  StopTrainingDocumentClassifierCommand,
  TagResourceCommand,
  UpdateEndpointCommand,
  paginateListDocumentClassificationJobs,
  paginateListDocumentClassifiers,
} from "@aws-sdk/client-comprehend";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const { role, training, documents, region } = JSON.parse(readFileSync(0, "utf8"));
const s3 = new S3Client({ region, forcePathStyle: true });
const comprehend = new ComprehendClient({ region });
const bucket = "javascript";

async function until(ask, isDone) {
  for (;;) {
    const answer = await ask();
    if (isDone(answer)) return answer;
    await pause(100);
  }
}

async function refused(command, kind) {
  try {
    await comprehend.send(command);
  } catch (error) {
    return { name: error.name, isKind: error instanceof kind, status: error.$metadata.httpStatusCode };
  }
  return null;
}

await s3.send(new CreateBucketCommand({ Bucket: bucket }));
await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "training.csv", Body: training }));
await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "in/documents.txt", Body: documents }));

const creation = {
  DocumentClassifierName: "javascript",
  VersionName: "v1",
  LanguageCode: "en",
  Mode: "MULTI_CLASS",
  DataAccessRoleArn: role,
  InputDataConfig: { S3Uri: `s3://${bucket}/training.csv` },
  Tags: [{ Key: "team", Value: "search" }],
  ClientRequestToken: "javascript-v1",
};
const created = await comprehend.send(new CreateDocumentClassifierCommand(creation));
const createdAgain = await comprehend.send(new CreateDocumentClassifierCommand(creation));
const taken = await refused(
  new CreateDocumentClassifierCommand({ ...creation, ClientRequestToken: "another" }),
  ResourceInUseException,
);
const classifierArn = created.DocumentClassifierArn;
const describeClassifier = new DescribeDocumentClassifierCommand({ DocumentClassifierArn: classifierArn });
const trained = await until(
  async () => (await comprehend.send(describeClassifier)).DocumentClassifierProperties,
  (found) => !["SUBMITTED", "TRAINING"].includes(found.Status),
);
await comprehend.send(
  new TagResourceCommand({ ResourceArn: classifierArn, Tags: [{ Key: "night", Value: "1" }] }),
);
const tags = (await comprehend.send(new ListTagsForResourceCommand({ ResourceArn: classifierArn }))).Tags;

const started = await comprehend.send(
  new StartDocumentClassificationJobCommand({
    JobName: "javascript",
    DocumentClassifierArn: classifierArn,
    DataAccessRoleArn: role,
    InputDataConfig: { S3Uri: `s3://${bucket}/in/`, InputFormat: "ONE_DOC_PER_LINE" },
    OutputDataConfig: { S3Uri: `s3://${bucket}/out/` },
  }),
);
const describeJob = new DescribeDocumentClassificationJobCommand({ JobId: started.JobId });
const job = await until(
  async () => (await comprehend.send(describeJob)).DocumentClassificationJobProperties,
  (found) => !["SUBMITTED", "IN_PROGRESS"].includes(found.JobStatus),
);
const output = new URL(job.OutputDataConfig.S3Uri);
const archive = await s3.send(
  new GetObjectCommand({ Bucket: output.hostname, Key: output.pathname.slice(1) }),
);
const unpacked = gunzipSync(await archive.Body.transformToByteArray()).toString("latin1");
const predictions = [...unpacked.matchAll(/^.*?(\{"File".*\})$/gm)].map((line) => JSON.parse(line[1]));

const listed = { classifiers: [], jobs: [] };
const pages = { client: comprehend, pageSize: 1 };
for await (const page of paginateListDocumentClassifiers(pages, {
  Filter: { DocumentClassifierName: "javascript" },
}))
  listed.classifiers.push(...page.DocumentClassifierPropertiesList.map((found) => found.DocumentClassifierArn));
for await (const page of paginateListDocumentClassificationJobs(pages, { Filter: { JobName: "javascript" } }))
  listed.jobs.push(...page.DocumentClassificationJobPropertiesList.map((found) => found.JobId));

const endpointArn = (
  await comprehend.send(
    new CreateEndpointCommand({ EndpointName: "javascript", ModelArn: classifierArn, DesiredInferenceUnits: 1 }),
  )
).EndpointArn;
const describeEndpoint = new DescribeEndpointCommand({ EndpointArn: endpointArn });
const endpointInService = () =>
  until(
    async () => (await comprehend.send(describeEndpoint)).EndpointProperties,
    (found) => !["CREATING", "UPDATING"].includes(found.Status),
  );
const endpoint = await endpointInService();
const classified = await comprehend.send(
  new ClassifyDocumentCommand({ EndpointArn: endpointArn, Text: "crash and error" }),
);
await comprehend.send(new UpdateEndpointCommand({ EndpointArn: endpointArn, DesiredInferenceUnits: 2 }));
const updated = await endpointInService();
const inUse = await refused(
  new DeleteDocumentClassifierCommand({ DocumentClassifierArn: classifierArn }),
  ResourceInUseException,
);
await comprehend.send(new DeleteEndpointCommand({ EndpointArn: endpointArn }));
const endpointGone = await until(
  () => refused(describeEndpoint, ResourceNotFoundException),
  (error) => error !== null,
);
await comprehend.send(new StopTrainingDocumentClassifierCommand({ DocumentClassifierArn: classifierArn }));
await comprehend.send(new DeleteDocumentClassifierCommand({ DocumentClassifierArn: classifierArn }));
const classifierGone = await until(
  () => refused(describeClassifier, ResourceNotFoundException),
  (error) => error !== null,
);

console.log(
  JSON.stringify({
    created, createdAgain, taken, trained, tags, started, job, predictions, listed, endpoint, classified,
    updated, inUse, endpointGone, classifierGone,
  }),
);
