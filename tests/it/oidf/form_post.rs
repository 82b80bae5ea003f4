//! `oidcc-formpost-basic-certification-test-plan`: the modules of the Basic plan, answers in a form that posts itself.

use super::basic::basic_plan;

basic_plan!(FormPost);
