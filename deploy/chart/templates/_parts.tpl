{{/* What the manifests share. */}}

{{- define "alphaplus.name" -}}
{{- printf "%s" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "alphaplus.labels" -}}
app.kubernetes.io/name: alphaplus
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "alphaplus.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/*
What a StatefulSet that is there cannot take is refused before anything is changed. Helm would find out half-way: hooks and
other parts are new by then. Another number of processes it would not find out at all: new ones take over partitions of
old ones that run, and these are refused when they are started again, for their states are of another share.
*/}}
{{- define "alphaplus.refuse" -}}
{{- $values := printf "flows.%s" .flow }}
{{- with lookup "apps/v1" "StatefulSet" .root.Release.Namespace .set }}
{{- $claim := (first .spec.volumeClaimTemplates).spec }}
{{- $storage := $claim.resources.requests.storage }}
{{- $class := $claim.storageClassName | default "" }}
{{- $claims := printf "has claims of %s of class %q, which stay as they are; see \"Larger volumes\" in the runbook" $storage $class }}
{{- if ne $storage $.told.storage }}
{{- fail (printf "%s.storage: %s; %s %s" $values $.told.storage $.set $claims) }}
{{- end }}
{{- if and $.root.Values.storageClassName (ne $class $.root.Values.storageClassName) }}
{{- fail (printf "storageClassName: %s; %s %s" $.root.Values.storageClassName $.set $claims) }}
{{- end }}
{{- range (first .spec.template.spec.containers).env }}
{{- if and (eq .name "ALPHAPLUS_SHARE__COUNT") (ne (int .value) (int $.told.replicas)) (gt (int $.told.replicas) 0) }}
{{- with (lookup "apps/v1" "StatefulSet" $.root.Release.Namespace $.set).spec.replicas }}
{{- fail (printf "%s.replicas: %v; %s runs as %v, of whose shares its states are: stop it first, see \"Another number of processes\" in the runbook" $values $.told.replicas $.set .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The settings file: what values say, and where this chart puts things. */}}
{{- define "alphaplus.settings" -}}
{{- $ours := dict "data" "/var/lib/alphaplus" "metrics_host" "0.0.0.0" "metrics_port" (int .Values.metricsPort) -}}
{{- if .Values.models.enabled }}{{ $_ := set $ours "forecast" (dict "models" "/models") }}{{ end -}}
{{- $_ := set $ours "probes" (dict "start_s" (int .Values.startSeconds)) -}}
{{- mergeOverwrite (deepCopy .Values.settings) $ours | toPrettyJson -}}
{{- end }}

{{/* Whether a part reads a secret: flows alone recover states, what receives asks no ClickHouse, it alone a proxy. */}}
{{- define "alphaplus.reads" -}}
{{- $kept := and (hasPrefix "recovery." .setting) (ne .part "flow") -}}
{{- $stored := and (hasPrefix "clickhouse." .setting) (eq .part "live") -}}
{{- $received := and (hasPrefix "live." .setting) (ne .part "live") -}}
{{- if not (or $kept $stored $received) }}yes{{ end -}}
{{- end }}

{{/* ALPHAPLUS_SECTION__NAME of each secret that a part (`flow`, `live`, `setup`, `train`) reads, by its file's path. */}}
{{- define "alphaplus.environment" -}}
{{- $part := .part }}
{{- range .root.Values.secrets }}
{{- if include "alphaplus.reads" (dict "setting" .setting "part" $part) }}
{{- $variable := printf "ALPHAPLUS_%s" (.setting | replace "." "__" | upper) }}
- name: {{ hasSuffix "_file" .setting | ternary $variable (printf "%s_FILE" $variable) }}
  value: /etc/alphaplus/secrets/{{ .setting }}
{{- end }}
{{- end }}
{{- end }}

{{- define "alphaplus.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* fsGroupChangePolicy: with "Always" each start would open the recovered states to the group, and these are refused. */}}
{{- define "alphaplus.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Until /healthz has seen a first commit it says yes for `startSeconds`; what ends that is the first of these. */}}
{{- define "alphaplus.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ div (add .Values.startSeconds 4) 5 }}
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* Processes of a flow (`part`) apart from each other, as far as there is room. */}}
{{- define "alphaplus.spread" -}}
{{- with .root.Values.spreadOver -}}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/instance: {{ $.root.Release.Name }}
        app.kubernetes.io/component: {{ $.part }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "alphaplus.mounts" -}}
- name: settings
  mountPath: /etc/alphaplus
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end }}

{{/* `settings` names the ConfigMap. defaultMode: a key that others can read is refused; the group is the pod's own. */}}
{{- define "alphaplus.volumes" -}}
- name: settings
  projected:
    defaultMode: 0440
    sources:
      - configMap:
          name: {{ .settings }}
          items:
            - {key: settings.json, path: settings.json}
            {{- range $name, $_ := .root.Values.files }}
            - {key: {{ $name | quote }}, path: {{ printf "files/%s" $name | quote }}}
            {{- end }}
      {{- $part := .part }}
      {{- range .root.Values.secrets }}
      {{- if include "alphaplus.reads" (dict "setting" .setting "part" $part) }}
      - secret:
          name: {{ .secret }}
          items:
            - {key: {{ .key | quote }}, path: {{ printf "secrets/%s" .setting | quote }}}
      {{- end }}
      {{- end }}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- end }}

{{/* What every pod has, beside its containers and volumes. */}}
{{- define "alphaplus.pod" -}}
automountServiceAccountToken: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
enableServiceLinks: false
securityContext:
  {{- include "alphaplus.podSecurityContext" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
