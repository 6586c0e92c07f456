// Evaluates requests against policies, by AWS's rules: JSON on standard input and output.
// In: [{policy, policyOfResource?, action, resource, context}]; out: what became of each, "Allowed"
// or the kind of refusal, or an error that tells what is no request of AWS.
import { runSimulation } from "@cloud-copilot/iam-simulate";
import { text } from "node:stream/consumers";

const ACCOUNT = "123456789012";
const PRINCIPAL = `arn:aws:iam::${ACCOUNT}:role/asking`;

// The simulator knows no key of an encryption context and ignores it. A tag of the principal, whose
// name is anybody's as well, is judged in the same way, so it stands in, in policy and request.
const asked = (await text(process.stdin)).replaceAll("kms:EncryptionContext:", "aws:PrincipalTag/");

const answers = [];
for (const { policy, policyOfResource, action, resource, context } of JSON.parse(asked)) {
  const found = await runSimulation(
    {
      request: {
        principal: PRINCIPAL,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: context,
      },
      identityPolicies: [{ name: "policy", policy }],
      resourcePolicy: policyOfResource,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (found.resultType === "error") {
    answers.push(`error: ${JSON.stringify(found.errors)}`);
  } else if (found.result?.ignoredContextKeys?.length) {
    answers.push(`error: the action has no ${found.result.ignoredContextKeys}`);
  } else {
    answers.push(found.overallResult);
  }
}
process.stdout.write(JSON.stringify(answers));
