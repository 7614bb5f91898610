// Runs a Jenkinsfile in JenkinsPipelineUnit: what it does, one JSON list. Arguments: the file, the answer at the gate,
// the change's number or an empty text, the branch, the subject of the last commit.
import com.lesfurets.jenkins.unit.BasePipelineTest
import groovy.json.JsonOutput

class Pipeline extends BasePipelineTest { }

def (file, answer, change, branch, subject) = args.toList()
def done = []
def run = new Pipeline()
run.scriptRoots += '.'
run.setUp()
def helper = run.helper
run.binding.setVariable('env', [CHANGE_ID: change ?: null, BRANCH_NAME: branch])
run.binding.setVariable('scm', 'scm')
run.binding.setVariable('docker', [image: { name -> [inside: { Closure body -> done << [image: name]; body() }] }])

helper.registerAllowedMethod('properties', [List], { done << [properties: it.collect { p -> p.toString() }] })
helper.registerAllowedMethod('disableConcurrentBuilds', [], { 'disableConcurrentBuilds' })
helper.registerAllowedMethod('node', [String, Closure], { label, body -> done << [node: label]; body() ; done << [end: label] })
helper.registerAllowedMethod('stage', [String, Closure], { name, body -> done << [stage: name]; body() })
helper.registerAllowedMethod('checkout', [String], { })
helper.registerAllowedMethod('archiveArtifacts', [Map], { done << [archive: it.artifacts] })
helper.registerAllowedMethod('string', [Map], { it.credentialsId })
helper.registerAllowedMethod('gitUsernamePassword', [Map], { it.credentialsId })
helper.registerAllowedMethod('withCredentials', [List, Closure], { ids, body -> done << [credentials: ids]; body(); done << [revoked: ids] })
helper.registerAllowedMethod('withEnv', [List, Closure], { values, body -> done << [env: values.collect { it.toString() }]; body() })
helper.registerAllowedMethod('timeout', [Map, Closure], { limit, body ->
    done << [timeout: "${limit.time} ${limit.unit}".toString()]
    body()
})
helper.registerAllowedMethod('input', [Map], {
    done << [input: it.message, submitter: it.submitter]
    if (answer == 'refused') throw new InterruptedException('Rejected by a person')
    if (answer == 'timed out') throw new InterruptedException('Timeout has been exceeded')
})
helper.registerAllowedMethod('sh', [String], {
    done << [sh: it]
    if (answer == 'broken' && it.contains('pulumi up')) throw new RuntimeException('script returned exit code 1')
    if (answer == 'guardrail' && it.contains('apiopsctl preview')) throw new RuntimeException('script returned exit code 1')
})
helper.registerAllowedMethod('sh', [Map], {
    done << [sh: it.script]
    it.script.startsWith('git log') ? subject : 'sha256:abc\n'
})

try {
    run.runScript(file)
} catch (Throwable error) {
    def cause = error
    while (cause.cause != null) cause = cause.cause
    done << [failed: cause.message]
}
println JsonOutput.toJson(done)

